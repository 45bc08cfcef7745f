//! `{{#each}}` and `{{#with}}`. Handlebars' own fail in strict mode where there is nothing to go through or to enter;
//! these print nothing then, or their `{{else}}`.

use handlebars::{
    BlockContext, BlockParams, Context, Handlebars, Helper, HelperDef, HelperResult,
    JsonTruthy as _, JsonValue, Output, PathAndJson, RenderContext, Renderable as _,
};

/// `{{#each list as |item index|}}`.
pub(super) struct Each;

/// `{{#with value as |name|}}`.
pub(super) struct With;

impl HelperDef for Each {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let Some(list) = helper.param(0) else { return Ok(()) };
        let elements = match list.value() {
            JsonValue::Array(elements) if !elements.is_empty() => elements,
            _ => return otherwise(helper, registry, context, rc, out),
        };
        let Some(template) = helper.template() else { return Ok(()) };
        for (at, element) in elements.iter().enumerate() {
            let mut block = BlockContext::new();
            let step = at.to_string();
            let mut params = BlockParams::new();
            let names = match helper.block_param_pair() {
                Some((item, index)) => {
                    params.add_value(index, JsonValue::from(at))?;
                    Some(item)
                }
                None => helper.block_param(),
            };
            enter(&mut block, &mut params, list, Some(&step), element, names)?;
            block.set_block_params(params);
            block.set_local_var("index", JsonValue::from(at));
            block.set_local_var("first", JsonValue::Bool(at == 0));
            block.set_local_var("last", JsonValue::Bool(at + 1 == elements.len()));
            rc.push_block(block);
            let rendered = template.render(registry, context, rc, out);
            rc.pop_block();
            rendered?;
        }
        Ok(())
    }
}

impl HelperDef for With {
    fn call<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        registry: &'reg Handlebars<'reg>,
        context: &'rc Context,
        rc: &mut RenderContext<'reg, 'rc>,
        out: &mut dyn Output,
    ) -> HelperResult {
        let Some(value) = helper.param(0) else { return Ok(()) };
        if !value.value().is_truthy(false) {
            return otherwise(helper, registry, context, rc, out);
        }
        let Some(template) = helper.template() else { return Ok(()) };
        let mut block = BlockContext::new();
        if let Some(outer) = rc.block() {
            block.local_variables_mut().clone_from(outer.local_variables());
        }
        let mut params = BlockParams::new();
        enter(&mut block, &mut params, value, None, value.value(), helper.block_param())?;
        block.set_block_params(params);
        rc.push_block(block);
        let rendered = template.render(registry, context, rc, out);
        rc.pop_block();
        rendered
    }
}

/// Makes `this` of a block the value, by its path from the data where it has one.
fn enter<'rc>(
    block: &mut BlockContext<'rc>,
    params: &mut BlockParams<'rc>,
    holder: &PathAndJson<'rc>,
    step: Option<&str>,
    value: &JsonValue,
    name: Option<&'rc str>,
) -> HelperResult {
    if let Some(path) = holder.context_path() {
        let base = block.base_path_mut();
        base.clone_from(path);
        base.extend(step.map(str::to_owned));
        if let Some(name) = name {
            params.add_path(name, Vec::new())?;
        }
    } else {
        block.set_base_value(value.clone());
        if let Some(name) = name {
            params.add_value(name, value.clone())?;
        }
    }
    Ok(())
}

fn otherwise<'reg: 'rc, 'rc>(
    helper: &Helper<'rc>,
    registry: &'reg Handlebars<'reg>,
    context: &'rc Context,
    rc: &mut RenderContext<'reg, 'rc>,
    out: &mut dyn Output,
) -> HelperResult {
    helper.inverse().map_or(Ok(()), |template| template.render(registry, context, rc, out))
}

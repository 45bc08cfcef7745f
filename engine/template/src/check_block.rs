//! Checks of the blocks `{{#if}}`, `{{#unless}}`, `{{#each}}` and `{{#with}}`: which values are
//! present in them, and what `this` is.

use handlebars::template::{BlockParam, HelperTemplate, Parameter, Template as Tree};
use oms_core::diagnostic::{codes, did_you_mean};
use oms_core::value::{Shape, Type};

use super::check::{Checker, Cursor};
use super::check_helper::values;
use super::check_path::{ResolvedValue, Scope};
use super::helpers::{BLOCKS, CALLS};
use super::problem::Fault;
use super::scan::Tag;
use super::tag::{Argument, Call};

impl<'t> Checker<'t> {
    pub(super) fn block(&mut self, call: &'t HelperTemplate, tag: &Tag, cursor: &mut Cursor<'t>) {
        let name = cursor.text(&tag.call.name);
        let span = tag.call.name.clone();
        if !BLOCKS.contains(&name) {
            let fault = if CALLS.contains(&name) {
                Fault::new(codes::TEMPLATE_HELPER, span, format!("`{name}` is not a block"))
                    .help(format!("write `{{{{#if ({name} …)}}}}`"))
            } else {
                Fault::new(codes::TEMPLATE_HELPER, span, format!("unknown block `{name}`"))
                    .help(did_you_mean(name, BLOCKS))
            };
            self.report(cursor, fault);
            return self.walk_suppressed(call, cursor);
        }
        self.block_params(call, name, &tag.call, cursor);
        for (key, value) in &tag.call.named {
            let flag = matches!(cursor.text(&value.span), "true" | "false");
            if !(matches!(name, "if" | "unless") && cursor.text(key) == "includeZero" && flag) {
                let message = format!("invalid option `{}` for `{name}`", cursor.text(key));
                self.report(cursor, Fault::new(codes::TEMPLATE_HELPER, key.clone(), message));
            }
        }
        let ([param], [place]) = (call.params.as_slice(), tag.call.params.as_slice()) else {
            let message = format!("`{name}` expects 1 value, found {}", values(call.params.len()));
            self.report(cursor, Fault::new(codes::TEMPLATE_HELPER, span, message));
            return self.walk_suppressed(call, cursor);
        };
        match name {
            "each" => self.each(call, param, place, cursor),
            "with" => self.with(call, param, place, cursor),
            _ => {
                let when = name == "if";
                self.condition(param, place, cursor);
                let present = self.present_when(param, place, when, cursor);
                self.branch(call.template.as_ref(), present, cursor);
                let present = self.present_when(param, place, !when, cursor);
                self.branch(call.inverse.as_ref(), present, cursor);
            }
        }
    }

    fn block_params(&mut self, call: &HelperTemplate, name: &str, at: &Call, cursor: &Cursor<'_>) {
        let fits = match &call.block_param {
            None => true,
            Some(BlockParam::Single(_)) => matches!(name, "each" | "with"),
            Some(_) => name == "each",
        };
        if !fits {
            let message = format!("`{name}` does not support these block parameters");
            let fault = Fault::new(codes::TEMPLATE_HELPER, at.name.clone(), message);
            let help = "write `{{#each list as |item index|}}` or `{{#with record as |name|}}`";
            self.report(cursor, fault.help(help.to_owned()));
        }
    }

    fn walk_suppressed(&mut self, call: &'t HelperTemplate, cursor: &mut Cursor<'t>) {
        self.suppressed += 1;
        self.branch(call.template.as_ref(), Vec::new(), cursor);
        self.branch(call.inverse.as_ref(), Vec::new(), cursor);
        self.suppressed -= 1;
    }

    /// Walks a branch in which the values at these places are present.
    fn branch(&mut self, tree: Option<&'t Tree>, present: Vec<String>, cursor: &mut Cursor<'t>) {
        let assumed = self.scopes.assume(present);
        if let Some(tree) = tree {
            self.walk(tree, cursor);
        }
        self.scopes.restore(assumed);
    }

    fn each(
        &mut self,
        call: &'t HelperTemplate,
        param: &'t Parameter,
        place: &Argument,
        cursor: &mut Cursor<'t>,
    ) {
        let Some(operand) = self.operand(param, place, cursor) else {
            return self.walk_suppressed(call, cursor);
        };
        let Shape::List(element) = &operand.ty.shape else {
            let fault = Fault::new(
                codes::TEMPLATE_SHAPE,
                place.span.clone(),
                format!("`{}` is {}, not a list", cursor.text(&place.span), operand.ty.shape),
            );
            self.report(
                cursor,
                fault.help("use `{{#each}}` for lists and `{{#with}}` for records".to_owned()),
            );
            return self.walk_suppressed(call, cursor);
        };
        let this = ResolvedValue { ty: element.as_ref().clone(), place: self.scopes.fresh_place() };
        let index = || ResolvedValue { ty: Type::of(Shape::Int), place: "@index".to_owned() };
        let names = match &call.block_param {
            Some(BlockParam::Single(item)) => vec![(text_of(item), this.clone())],
            Some(BlockParam::Pair((item, at))) => {
                vec![(text_of(item), this.clone()), (text_of(at), index())]
            }
            _ => Vec::new(),
        };
        self.scopes.push(Scope { this, in_list: true, names });
        let present = operand.place.into_iter().collect();
        self.branch(call.template.as_ref(), present, cursor);
        self.scopes.pop();
        self.branch(call.inverse.as_ref(), Vec::new(), cursor);
    }

    fn with(
        &mut self,
        call: &'t HelperTemplate,
        param: &'t Parameter,
        place: &Argument,
        cursor: &mut Cursor<'t>,
    ) {
        let Some(operand) = self.operand(param, place, cursor) else {
            return self.walk_suppressed(call, cursor);
        };
        let at = operand.place.unwrap_or_else(|| self.scopes.fresh_place());
        let this = ResolvedValue { ty: operand.ty.not_null(), place: at.clone() };
        let names = match &call.block_param {
            Some(BlockParam::Single(name)) => vec![(text_of(name), this.clone())],
            _ => Vec::new(),
        };
        let in_list = self.scopes.in_list();
        self.scopes.push(Scope { this, in_list, names });
        self.branch(call.template.as_ref(), vec![at], cursor);
        self.scopes.pop();
        self.branch(call.inverse.as_ref(), Vec::new(), cursor);
    }
}

fn text_of(parameter: &Parameter) -> String {
    parameter.as_name().unwrap_or_default().to_owned()
}

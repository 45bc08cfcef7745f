//! The helpers that templates may call for a value. They never fail: what they are given was checked.

use handlebars::{
    Context, Handlebars, Helper, HelperDef, JsonTruthy as _, JsonValue, RenderContext, RenderError,
    ScopedJson,
};

use super::helpers_block::{Each, With};
use crate::money::Decimal;

/// What may be called for a value.
pub(super) const CALLS: [&str; 10] =
    ["and", "default", "eq", "ge", "gt", "le", "lt", "ne", "not", "or"];

/// What may be called as a block.
pub(super) const BLOCKS: [&str; 4] = ["each", "if", "unless", "with"];

/// What Handlebars brings along and templates do not get: a field of that name prints as the field.
const LEFT_OUT: [&str; 6] = ["lookup", "raw", "log", "gte", "lte", "len"];

/// Returns a renderer that knows these helpers, escapes by this function, and refuses unknown names.
pub(super) fn registry(escape: fn(&str) -> String) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(escape);
    for name in LEFT_OUT {
        registry.unregister_helper(name);
    }
    for name in CALLS {
        registry.register_helper(name, Box::new(Value { name }));
    }
    registry.register_helper("each", Box::new(Each));
    registry.register_helper("with", Box::new(With));
    registry
}

/// One of [`CALLS`].
struct Value {
    name: &'static str,
}

impl HelperDef for Value {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        helper: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let param = |at: usize| helper.param(at).map_or(&JsonValue::Null, |param| param.value());
        let truth = |value: &JsonValue| value.is_truthy(false);
        let mut params = helper.params().iter().map(|param| param.value());
        let (left, right) = (param(0), param(1));
        let held = match self.name {
            "default" => {
                let empty = left.is_null() || left.as_str() == Some("");
                return Ok(ScopedJson::Derived(if empty { right } else { left }.clone()));
            }
            "and" => params.all(truth),
            "or" => params.any(truth),
            "not" => !truth(left),
            "eq" => equal(left, right),
            "ne" => !equal(left, right),
            "lt" => below(left, right),
            "gt" => below(right, left),
            "le" => below(left, right) || equal(left, right),
            _ => below(right, left) || equal(left, right),
        };
        Ok(ScopedJson::Derived(JsonValue::Bool(held)))
    }
}

/// Returns the number that a value is or spells. Decimals arrive as text, since JSON's numbers are binary.
fn number(value: &JsonValue) -> Option<Decimal> {
    match value {
        JsonValue::Number(number) => Decimal::parse(&number.to_string()).ok(),
        JsonValue::String(text) => Decimal::parse(text).ok(),
        _ => None,
    }
}

fn equal(left: &JsonValue, right: &JsonValue) -> bool {
    left == right || number(left).zip(number(right)).is_some_and(|(left, right)| left == right)
}

/// Numbers by their value; dates and instants by their text, whose one form sorts as they do.
fn below(left: &JsonValue, right: &JsonValue) -> bool {
    match (number(left).zip(number(right)), left.as_str().zip(right.as_str())) {
        (Some((left, right)), _) => left < right,
        (None, Some((left, right))) => left < right,
        (None, None) => false,
    }
}

/// Escapes text for HTML, for its content and for quoted attributes: the same characters as Handlebars' own, but most
/// values have none of them, and then only one copy is made.
pub(super) fn escape_html(text: &str) -> String {
    let special = |byte: &u8| matches!(byte, b'<' | b'>' | b'"' | b'&' | b'\'' | b'`' | b'=');
    let Some(first) = text.bytes().position(|byte| special(&byte)) else {
        return text.to_owned();
    };
    let (clean, rest) = text.split_at(first);
    let mut escaped = String::with_capacity(text.len() + 32);
    escaped.push_str(clean);
    for char in rest.chars() {
        match char {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '&' => escaped.push_str("&amp;"),
            '\'' => escaped.push_str("&#x27;"),
            '`' => escaped.push_str("&#x60;"),
            '=' => escaped.push_str("&#x3D;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(template: &str, data: &JsonValue) -> String {
        registry(escape_html).render_template(template, data).unwrap()
    }

    #[test]
    fn decimals_compare_as_numbers_and_dates_in_time() {
        let data = serde_json::json!({
            "a": "9.50", "b": "10", "n": 3, "d": "2025-01-31", "s": "x", "none": null,
        });
        for (condition, holds) in [
            ("lt a b", true),
            ("gt b a", true),
            ("eq a \"9.5\"", true),
            ("eq a 9.5", true),
            ("le a 9.5", true),
            ("ge n 4", false),
            ("ne n 3", false),
            ("lt d \"2025-02-01\"", true),
            ("eq s \"x\"", true),
            ("eq none null", true),
            ("eq none \"\"", false),
            ("and a s", true),
            ("and a none", false),
            ("or none s", true),
            ("not none", true),
            ("not (eq s \"x\")", false),
        ] {
            let template = format!("{{{{#if ({condition})}}}}true{{{{else}}}}false{{{{/if}}}}");
            assert_eq!(rendered(&template, &data), holds.to_string(), "{condition}");
        }
        assert_eq!(rendered("{{default none \"<none>\"}}{{default s 1}}", &data), "&lt;none&gt;x");
    }

    #[test]
    fn html_is_escaped_as_handlebars_escapes_it() {
        for text in ["<script>alert('x')</script>", "\" onload=\"x", "a&b`c", "plain", "", "Ωß<"]
        {
            assert_eq!(escape_html(text), handlebars::html_escape(text));
        }
    }
}

//! Finds parts of a schema that no value can match: values in `enum` and `const` that `type` does
//! not allow, for example because YAML reads `1.10` as a number, and keywords that contradict each
//! other.

use oms_core::money::Decimal;
use serde_json::Value as Json;

use super::decimals::allows;
use super::index::Index;
use super::messages::type_name;
use super::problem::{SchemaProblem, SchemaProblemKind};

/// Finds values that the `type` of their schema does not allow, and keywords that no value matches.
pub(crate) fn impossible_values(root: &Json) -> Vec<SchemaProblem> {
    let mut problems = Vec::new();
    for place in Index::new(root).places() {
        if let Some((keyword, message)) = contradiction(place.schema) {
            let pointer = format!("{}/{keyword}", place.pointer);
            let help =
                Some("correct the schema; it rejects every order with this member".to_owned());
            problems.push(SchemaProblem {
                kind: SchemaProblemKind::Invalid,
                pointer,
                on_key: true,
                message,
                help,
            });
        }
        let only =
            place.schema.get("const").map(|value| (format!("{}/const", place.pointer), value));
        let listed = place.schema.get("enum").and_then(Json::as_array).into_iter().flatten();
        let listed = (0..).zip(listed);
        let listed = listed.map(|(at, value)| (format!("{}/enum/{at}", place.pointer), value));
        for (pointer, value) in only.into_iter().chain(listed) {
            if fits(place.schema, value) {
                continue;
            }
            let message =
                format!("no order can have the value `{value}`, because `type` does not allow it");
            let is_bare = matches!(value, Json::Number(_) | Json::Bool(_));
            let help = match is_bare && allows(place.schema, "string") {
                true => "put it in quotes to make it text",
                false => "remove it, or allow it in `type`",
            };
            problems.push(SchemaProblem {
                kind: SchemaProblemKind::Invalid,
                pointer,
                on_key: false,
                message,
                help: Some(help.to_owned()),
            });
        }
    }
    problems
}

/// Returns the keyword of a schema that no value can match together with the others, and a message.
fn contradiction(schema: &Json) -> Option<(&'static str, String)> {
    if let Some(only) = schema.get("const") {
        let listed = schema.get("enum").and_then(Json::as_array);
        if listed.is_some_and(|listed| !listed.iter().any(|value| is_same(value, only))) {
            return Some(("const", "no value matches both `const` and `enum`".to_owned()));
        }
    }
    if schema.get("enum").and_then(Json::as_array).is_some_and(Vec::is_empty) {
        return Some(("enum", "`enum` is empty, so no value matches it".to_owned()));
    }
    const PAIRS: [(&str, &str); 5] = [
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minContains", "maxContains"),
        ("minProperties", "maxProperties"),
        ("minimum", "maximum"),
    ];
    let number = |keyword: &str| Decimal::from_json_number(&schema.get(keyword)?.to_string()).ok();
    PAIRS.into_iter().find_map(|(least, most)| {
        (number(least)? > number(most)?)
            .then(|| (least, format!("no value matches both `{least}` and `{most}`")))
    })
}

fn is_same(a: &Json, b: &Json) -> bool {
    a == b || a.is_number() && b.is_number() && a.as_f64() == b.as_f64()
}

fn fits(schema: &Json, value: &Json) -> bool {
    let is_whole = || value.as_f64().is_some_and(|number| number.fract() == 0.0);
    let is_null = value.is_null() && schema.get("nullable") == Some(&Json::Bool(true));
    is_null || allows(schema, type_name(value)) || (is_whole() && allows(schema, "integer"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_values_that_the_type_excludes_are_found() {
        let schema = json!({
            "properties": {
                "a": { "type": "string", "enum": ["x", 1.1, true, null] },
                "b": { "type": ["string", "null"], "enum": ["x", null] },
                "c": { "type": "integer", "enum": [1, 2.0, 2.5] },
                "d": { "type": "number", "const": 1 },
                "e": { "enum": [1, "x"] },
                "f": { "type": "string", "nullable": true, "enum": ["x", null] },
                "g": { "$ref": "#/properties/a", "const": 1 },
            },
        });
        let found: Vec<String> =
            impossible_values(&schema).into_iter().map(|problem| problem.pointer).collect();
        assert_eq!(
            found,
            [
                "/properties/a/enum/1",
                "/properties/a/enum/2",
                "/properties/a/enum/3",
                "/properties/c/enum/2"
            ]
        );
    }
}

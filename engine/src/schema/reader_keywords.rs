//! The keywords that the reader asserts without the validator.

use oms_core::value::JsonKind;
use serde_json::{Map, Value as Json};

use super::union;

/// Returns whether the reader fully asserts a keyword when it reads this kind of value. Keywords
/// that are not listed here are left to the validator.
pub(super) fn reader_asserts(
    used: &[&str],
    kind: &JsonKind,
    keyword: &str,
    value: &Json,
    map: &Map<String, Json>,
) -> bool {
    match (keyword, kind) {
        ("nullable" | "x-customer" | "x-pii", _) => true,
        ("$ref" | "anyOf", _) => used.contains(&keyword),
        // For a union, the reader asserts only what all cases have in common.
        ("oneOf", _) => used.contains(&keyword) && union::or_null(map).is_some(),
        // Keywords next to a reference are not part of the kind.
        _ if used.iter().any(|used| ["$ref", "anyOf", "oneOf"].contains(used)) => false,
        ("type", JsonKind::Json) => false,
        ("type", _) => true,
        ("format", JsonKind::Text { .. }) => false,
        (
            "format",
            JsonKind::Decimal { text: true, .. }
            | JsonKind::Currency
            | JsonKind::Email
            | JsonKind::Uri
            | JsonKind::Date(_)
            | JsonKind::Timestamp { .. },
        )
        | ("x-date-format", JsonKind::Date(_))
        | ("x-currency" | "x-precision" | "x-scale", JsonKind::Decimal { .. }) => true,
        ("const" | "enum", JsonKind::Text { values: Some(values), .. }) => {
            let both = map.contains_key("const") && map.contains_key("enum");
            !values.is_empty() && !both
        }
        ("minLength" | "maxLength", JsonKind::Text { values: None, .. })
        | ("minItems" | "maxItems", JsonKind::List { .. }) => value.is_u64(),
        ("minimum" | "maximum", JsonKind::Int { .. }) => value.is_i64(),
        ("items", JsonKind::List { .. }) => used.contains(&"items"),
        ("properties", JsonKind::Record(_)) => true,
        ("required", JsonKind::Record(record)) => {
            required(map).iter().all(|name| record.ty.position(name).is_some())
        }
        ("additionalProperties", JsonKind::Record(_)) => value.is_boolean(),
        _ => false,
    }
}

/// Returns the names that a schema requires.
pub(super) fn required(map: &Map<String, Json>) -> Vec<&str> {
    let required = map.get("required").and_then(Json::as_array);
    required.into_iter().flatten().filter_map(Json::as_str).collect()
}

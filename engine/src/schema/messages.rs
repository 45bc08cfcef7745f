//! The words for requirements of JSON Schema, used for the pipeline file and for order schemas.

use jsonschema::error::{TypeKind, ValidationErrorKind};
use serde_json::Value as Json;

/// Returns the names of the expected types.
pub(crate) fn type_names(kind: &TypeKind) -> Vec<&'static str> {
    match kind {
        TypeKind::Single(name) => vec![name.as_str()],
        TypeKind::Multiple(names) => names.iter().map(|name| name.as_str()).collect(),
    }
}

/// Describes a bound.
pub(crate) fn bound(kind: &ValidationErrorKind) -> Option<String> {
    let counted = |limit: u64, what: &str, plural: &str| {
        if limit == 1 { format!("one {what}") } else { format!("{limit} {plural}") }
    };
    Some(match kind {
        ValidationErrorKind::Maximum { limit } => format!("must be at most {limit}"),
        ValidationErrorKind::Minimum { limit } => format!("must be at least {limit}"),
        ValidationErrorKind::ExclusiveMaximum { limit } => format!("must be less than {limit}"),
        ValidationErrorKind::ExclusiveMinimum { limit } => format!("must be greater than {limit}"),
        ValidationErrorKind::MinProperties { limit } | ValidationErrorKind::MinItems { limit } => {
            format!("must have at least {}", counted(*limit, "entry", "entries"))
        }
        ValidationErrorKind::MaxProperties { limit } | ValidationErrorKind::MaxItems { limit } => {
            format!("must have at most {}", counted(*limit, "entry", "entries"))
        }
        ValidationErrorKind::MinLength { limit: 1 } => "must not be empty".to_owned(),
        ValidationErrorKind::MinLength { limit } => {
            format!("must have at least {}", counted(*limit, "character", "characters"))
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("must have at most {}", counted(*limit, "character", "characters"))
        }
        ValidationErrorKind::UniqueItems => "must not have duplicate elements".to_owned(),
        _ => return None,
    })
}

/// Returns the name of a value's type.
pub(crate) const fn type_name(value: &Json) -> &'static str {
    match value {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

/// Returns the name of a type in words.
pub(crate) fn type_description(name: &str) -> &'static str {
    match name {
        "null" => "an empty value",
        "boolean" => "true or false",
        "integer" => "an integer",
        "number" => "a number",
        "string" => "text",
        "array" => "a list",
        _ => "a map",
    }
}

/// Describes a value whose type is not in `expected`, a list of type names.
pub(crate) fn found_description(value: &Json, expected: &[&str]) -> &'static str {
    if value.is_f64() && expected.contains(&"integer") {
        "a number with a fraction"
    } else {
        type_description(type_name(value))
    }
}

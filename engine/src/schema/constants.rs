//! Schemas that list all allowed values, and the types that follow from them.

use oms_core::value::{JsonKind, Shape, Type};
use serde_json::{Map, Value as Json};

use super::number_type::integer_within;

/// Returns the values that `const` or `enum` allow.
pub(super) fn constants(map: &Map<String, Json>) -> Option<Vec<&Json>> {
    match (map.get("const"), map.get("enum")) {
        (Some(value), _) => Some(vec![value]),
        (None, Some(Json::Array(values))) => Some(values.iter().collect()),
        _ => None,
    }
}

/// Returns the type for allowed values that are all integers or all booleans, possibly with null.
pub(super) fn scalars(values: &[&Json]) -> Option<(Type, JsonKind)> {
    let nullable = values.iter().any(|value| value.is_null());
    let (mut numbers, mut booleans) = (Vec::new(), false);
    for value in values.iter().filter(|value| !value.is_null()) {
        match value {
            Json::Bool(_) => booleans = true,
            value => numbers.push(value.as_i64()?),
        }
    }
    let (ty, kind) = match (numbers.iter().min(), numbers.iter().max(), booleans) {
        (Some(min), Some(max), false) => integer_within(*min, *max),
        (None, None, true) => (Type::of(Shape::Bool), JsonKind::Bool),
        _ => return None,
    };
    Some((Type { nullable, ..ty }, kind))
}

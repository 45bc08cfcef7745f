//! Finds the subschemas that apply to texts with decimals. In these, bounds apply to the number in
//! the text.

use serde_json::Value as Json;

use super::index::{Index, children};
use super::marks::{mark_reachable, referenced};

/// Returns whether a schema declares texts to be decimals.
pub(super) fn is_decimal_text(schema: &Json) -> bool {
    let format = schema.get("format").and_then(Json::as_str);
    format == Some("decimal") && allows(schema, "string")
}

/// Returns whether the `type` of a schema allows a type.
pub(super) fn allows(schema: &Json, name: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(only)) => only == name,
        Some(Json::Array(names)) => names.iter().any(|allowed| allowed == name),
        _ => true,
    }
}

/// Returns for each place of the index whether it can apply to a text with a decimal. Such a place
/// has `format: decimal`, or a keyword such as `$ref` or `allOf` applies it to the same value as a
/// place with `format: decimal`.
pub(super) fn apply_to_decimal_texts(index: &Index<'_>) -> Vec<bool> {
    let places = index.places();
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); places.len()];
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); places.len()];
    for (position, place) in places.iter().enumerate() {
        let beside = children(place.schema).into_iter().filter(|child| child.in_place);
        let beside = beside.map(|child| child.schema);
        for schema in beside.chain(referenced(index, place.schema)) {
            let Some(target) = index.position(schema) else { continue };
            if let (Some(above), Some(below)) = (above.get_mut(target), below.get_mut(position)) {
                above.push(position);
                below.push(target);
            }
        }
    }
    let mut met: Vec<bool> = places.iter().map(|place| is_decimal_text(place.schema)).collect();
    for neighbours in [above, below] {
        mark_reachable(&mut met, &neighbours);
    }
    met
}

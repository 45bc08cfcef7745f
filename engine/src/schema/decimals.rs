//! Which subschemas a text with a decimal can meet. There, bounds hold for the number in the text.

use serde_json::Value as Json;

use super::index::{Index, children};
use super::marks::{referred, spread};

/// Tells whether a schema says that texts hold a decimal.
pub(super) fn is_decimal_text(schema: &Json) -> bool {
    let format = schema.get("format").and_then(Json::as_str);
    format == Some("decimal") && allows(schema, "string")
}

/// Tells whether the `type` of a schema allows a type.
pub(super) fn allows(schema: &Json, name: &str) -> bool {
    match schema.get("type") {
        Some(Json::String(only)) => only == name,
        Some(Json::Array(names)) => names.iter().any(|allowed| allowed == name),
        _ => true,
    }
}

/// Returns for each place of the index whether a text with a decimal can meet it: it stands beside
/// `format: decimal`, or is applied to the same value by `$ref`, `allOf` and the like.
pub(super) fn met_by_decimal_texts(index: &Index<'_>) -> Vec<bool> {
    let places = index.places();
    let mut above: Vec<Vec<usize>> = vec![Vec::new(); places.len()];
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); places.len()];
    for (position, place) in places.iter().enumerate() {
        let beside = children(place.schema).into_iter().filter(|child| child.in_place);
        let beside = beside.map(|child| child.schema);
        for schema in beside.chain(referred(index, place.schema)) {
            let Some(target) = index.position(schema) else { continue };
            if let (Some(above), Some(below)) = (above.get_mut(target), below.get_mut(position)) {
                above.push(position);
                below.push(target);
            }
        }
    }
    let mut met: Vec<bool> = places.iter().map(|place| is_decimal_text(place.schema)).collect();
    for neighbours in [above, below] {
        spread(&mut met, &neighbours);
    }
    met
}

//! Finds references to steps in a part of the file, before any types are known.

use std::ops::Range;

use oms_core::diagnostic::{Route, Segment};
use serde_json::Value as Json;

use super::interpolate::{self, Part};
use super::parse;

/// A reference to a step's output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    /// The step's id.
    pub step: String,
    /// The route of the text with the reference, relative to the given JSON.
    pub route: Route,
    /// The byte range of `steps.<id>` in that text.
    pub within: Range<usize>,
}

/// Returns every `steps.<id>` in the expressions of a JSON value, in order. Ignores a text that
/// cannot be split into expressions; the compiler reports the problem.
pub fn references(json: &Json) -> Vec<Reference> {
    let mut found = Vec::new();
    collect(json, &mut Route::root(), &mut found);
    found
}

fn collect(json: &Json, route: &mut Route, found: &mut Vec<Reference>) {
    match json {
        Json::String(text) if text.contains("steps") => {
            for part in interpolate::split(text).unwrap_or_default() {
                let Part::Code { code, at } = part else { continue };
                for (step, range) in parse::mentioned_steps(code) {
                    let within = range.start + at..range.end + at;
                    found.push(Reference { step, route: route.clone(), within });
                }
            }
        }
        Json::Array(elements) => {
            for (position, element) in elements.iter().enumerate() {
                route.push(Segment::Index(position));
                collect(element, route, found);
                route.pop();
            }
        }
        Json::Object(members) => {
            for (key, value) in members {
                route.push(Segment::Key(key.clone()));
                collect(value, route, found);
                route.pop();
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_reference_to_a_step_is_found_with_its_position() {
        let json = json!({
            "a": "${{ steps.x.amount + steps . y.b }}",
            "b": ["plain steps.z", "t-${{ order.steps.q }}-${{ 'steps.r' + steps.s }}"],
            "c": "${{ steps.t",
            "d": "${{ .steps.u + get(order, 0).steps.v }}${{ 1 in .steps.w ? .steps.x : '' }}",
        });
        let found: Vec<String> = references(&json)
            .into_iter()
            .map(|r| format!("{} {} {:?}", r.route, r.step, r.within))
            .collect();
        let expected =
            ["a x 4..11", "a y 21..30", "b[1] s 39..46", "d u 5..12", "d w 49..56", "d x 60..67"];
        assert_eq!(found, expected);
    }
}

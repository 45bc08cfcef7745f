//! The parts of a schema that apply to the same value, such as those in `anyOf` and the targets of
//! `$ref`. Their number must be limited, because an invalid order is validated against
//! each of them.

use super::index::{Index, children};
use super::marks::referenced;
use super::problem::{SchemaProblem, SchemaProblemKind};

/// Maximum number of parts that apply to one value. A part counts once for each way that leads to
/// it.
const PARTS_MAX: u64 = 100_000;
/// Maximum nesting depth of such parts.
const DEPTH_MAX: usize = 1_000;

/// Finds references that lead back to themselves, and values to which too many parts apply.
pub(super) fn problems(index: &Index<'_>) -> Vec<SchemaProblem> {
    let mut search = Search {
        index,
        parts: vec![Parts::Unknown; index.places().len()],
        problems: Vec::new(),
        is_too_large: false,
    };
    for position in 0..index.places().len() {
        search.count(position, 0);
    }
    search.problems
}

#[derive(Clone, Copy)]
enum Parts {
    Unknown,
    /// The parts are being counted.
    Open,
    Known(u64),
}

struct Search<'i, 's> {
    index: &'i Index<'s>,
    parts: Vec<Parts>,
    problems: Vec<SchemaProblem>,
    is_too_large: bool,
}

impl Search<'_, '_> {
    /// Counts the parts that apply to the value of a place.
    fn count(&mut self, position: usize, depth: usize) -> u64 {
        match self.parts.get(position) {
            Some(Parts::Unknown) if depth > DEPTH_MAX => return PARTS_MAX + 1,
            Some(Parts::Unknown) => {}
            Some(Parts::Known(parts)) => return *parts,
            Some(Parts::Open) | None => return 0,
        }
        let Some(place) = self.index.places().get(position) else { return 0 };
        self.set(position, Parts::Open);
        let mut parts: u64 = 1;
        for child in children(place.schema).into_iter().filter(|child| child.in_place) {
            if let Some(child) = self.index.position(child.schema) {
                parts = parts.saturating_add(self.count(child, depth + 1));
            }
        }
        let target = referenced(self.index, place.schema);
        if let Some(target) = target.and_then(|target| self.index.position(target)) {
            if matches!(self.parts.get(target), Some(Parts::Open)) {
                self.problems.push(SchemaProblem { kind: SchemaProblemKind::Invalid,
                    pointer: format!("{}/$ref", place.pointer),
                    on_key: false,
                    message: "`$ref` leads back to itself, so it describes no value".to_owned(),
                    help: Some("refer to a schema of another value, such as one below `properties` or `items`".to_owned()),
                });
            } else {
                parts = parts.saturating_add(self.count(target, depth + 1));
            }
        }
        if parts > PARTS_MAX && !self.is_too_large {
            self.is_too_large = true;
            self.problems.push(SchemaProblem {
                kind: SchemaProblemKind::Invalid,
                pointer: place.pointer.clone(),
                on_key: true,
                message: format!("more than {PARTS_MAX} parts of the schema apply to this value"),
                help: Some(
                    "use fewer references to schemas that contain several references".to_owned(),
                ),
            });
        }
        self.set(position, Parts::Known(parts));
        parts
    }

    fn set(&mut self, position: usize, parts: Parts) {
        if let Some(slot) = self.parts.get_mut(position) {
            *slot = parts;
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;

    fn pointers(schema: &Json) -> Vec<String> {
        problems(&Index::new(schema)).into_iter().map(|problem| problem.pointer).collect()
    }

    #[test]
    fn references_that_lead_back_to_the_same_value_are_found() {
        let found = pointers(&json!({
            "properties": { "a": { "$ref": "#/$defs/a" } },
            "$defs": {
                "a": { "$ref": "#/$defs/b" }, "b": { "anyOf": [{ "$ref": "#/$defs/a" }, { "type": "string" }] },
                "c": { "$ref": "#/$defs/c" }, "d": { "not": { "$ref": "#/$defs/d" } },
                "tree": { "properties": { "below": { "items": { "$ref": "#/$defs/tree" } } } },
            },
        }));
        assert_eq!(found, ["/$defs/b/anyOf/0/$ref", "/$defs/c/$ref", "/$defs/d/not/$ref"]);
    }

    #[test]
    fn a_part_counts_once_for_each_way_that_leads_to_it() {
        let level = |at: usize| json!({ "anyOf": vec![json!({ "$ref": format!("#/$defs/a{}", at + 1) }); 9] });
        let schema = |levels: usize| {
            let mut defs: serde_json::Map<String, Json> =
                (0..levels).map(|at| (format!("a{at}"), level(at))).collect();
            defs.insert(format!("a{levels}"), json!({ "type": "string" }));
            json!({ "properties": { "r": { "$ref": "#/$defs/a0" } }, "$defs": defs })
        };
        assert!(pointers(&schema(4)).is_empty());
        assert_eq!(pointers(&schema(13)).len(), 1);
    }
}

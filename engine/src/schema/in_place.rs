//! The parts of a schema that look at the same value: what is in `anyOf` and the like, and what
//! `$ref` leads to. They must come to an end, and must not be too many, since an order that does
//! not fit is held against each of them.

use super::compile::SchemaProblem;
use super::index::{Index, children};
use super::marks::referred;

/// How many parts may look at one value, each counted as often as the schema leads to it.
const PARTS_MAX: u64 = 100_000;
/// How deep such parts may lie in each other.
const DEPTH_MAX: usize = 1_000;

/// Finds references that lead back to where they stand, and parts that are too many.
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
    /// They are being counted.
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
    /// Counts the parts that look at the value of a place.
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
        let target = referred(self.index, place.schema);
        if let Some(target) = target.and_then(|target| self.index.position(target)) {
            if matches!(self.parts.get(target), Some(Parts::Open)) {
                self.problems.push(SchemaProblem {
                    pointer: format!("{}/$ref", place.pointer),
                    on_key: false,
                    message: "`$ref` leads back to where it stands, so that it describes nothing".to_owned(),
                    help: Some("refer to the schema of another value, or of one below `properties` or `items`".to_owned()),
                });
            } else {
                parts = parts.saturating_add(self.count(target, depth + 1));
            }
        }
        if parts > PARTS_MAX && !self.is_too_large {
            self.is_too_large = true;
            self.problems.push(SchemaProblem {
                pointer: place.pointer.clone(),
                on_key: true,
                message: format!("more than {PARTS_MAX} parts of the schema look at this value"),
                help: Some(
                    "use fewer references to schemas that refer to others several times".to_owned(),
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
    fn references_that_come_back_without_going_into_the_value_are_found() {
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
    fn parts_are_counted_as_often_as_the_schema_leads_to_them() {
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

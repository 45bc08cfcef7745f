//! Marks: keywords such as `x-pii` that are properties of a type. They have no effect in a part of
//! a schema from which no type is derived. Such marks are reported, because otherwise personal data
//! would be printed.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::index::{Index, Target, children, escaped};

/// Keywords that are properties of a field's type.
const MARKS: [&str; 3] = ["x-currency", "x-customer", "x-pii"];

/// A mark in a schema.
pub(super) struct Mark {
    /// The JSON pointer from the schema to the mark, or to the `$ref` that leads to it.
    pub(super) pointer: String,
    pub(super) keyword: &'static str,
}

/// Finds a mark in a schema or in the schemas to which it refers.
pub(super) fn mark_in<'s>(index: &Index<'s>, schema: &'s Json) -> Option<Mark> {
    find(index, schema, &mut Vec::new())
}

/// Returns the places with `x-customer` in some parts of a schema or in the schemas to which they
/// refer.
pub(super) fn customers_in(index: &Index<'_>, parts: &BTreeSet<usize>) -> Vec<usize> {
    let places = index.places();
    let mut below: Vec<Vec<usize>> = vec![Vec::new(); places.len()];
    for (place, below) in places.iter().zip(&mut below) {
        let inner = children(place.schema).into_iter();
        let inner = inner.filter(|child| !is_definition(child.keyword)).map(|child| child.schema);
        below.extend(
            inner.chain(referenced(index, place.schema)).filter_map(|part| index.position(part)),
        );
    }
    let mut reached: Vec<bool> = (0..places.len()).map(|at| parts.contains(&at)).collect();
    mark_reachable(&mut reached, &below);
    let marked = places.iter().map(|place| is_set(place.schema, "x-customer"));
    (0..)
        .zip(marked.zip(reached))
        .filter(|(_, both)| *both == (true, true))
        .map(|(at, _)| at)
        .collect()
}

/// Returns for each place of the index whether it contains personal data or refers to a schema that
/// does.
pub(super) fn personal(index: &Index<'_>) -> Vec<bool> {
    let places = index.places();
    let mut around: Vec<Vec<usize>> = vec![Vec::new(); places.len()];
    for (position, place) in places.iter().enumerate() {
        let below = children(place.schema).into_iter().map(|child| child.schema);
        for schema in below.chain(referenced(index, place.schema)) {
            if let Some(around) = index.position(schema).and_then(|at| around.get_mut(at)) {
                around.push(position);
            }
        }
    }
    let mut personal: Vec<bool> =
        places.iter().map(|place| is_set(place.schema, "x-pii")).collect();
    mark_reachable(&mut personal, &around);
    personal
}

/// Marks everything that can be reached from a marked place.
pub(super) fn mark_reachable(marked: &mut [bool], neighbours: &[Vec<usize>]) {
    let mut left: Vec<usize> =
        (0..marked.len()).filter(|at| marked.get(*at) == Some(&true)).collect();
    while let Some(position) = left.pop() {
        for target in neighbours.get(position).into_iter().flatten() {
            if let Some(mark) = marked.get_mut(*target).filter(|mark| !**mark) {
                *mark = true;
                left.push(*target);
            }
        }
    }
}

fn find<'s>(index: &Index<'s>, schema: &'s Json, seen: &mut Vec<&'s Json>) -> Option<Mark> {
    if seen.iter().any(|known| std::ptr::eq(*known, schema)) {
        return None;
    }
    seen.push(schema);
    if let Some(keyword) = MARKS.into_iter().find(|keyword| is_set(schema, keyword)) {
        return Some(Mark { pointer: format!("/{}", escaped(keyword)), keyword });
    }
    if let Some(target) = referenced(index, schema)
        && let Some(mark) = find(index, target, seen)
    {
        return Some(Mark { pointer: "/$ref".to_owned(), ..mark });
    }
    children(schema).into_iter().filter(|child| !is_definition(child.keyword)).find_map(|child| {
        let mark = find(index, child.schema, seen)?;
        Some(Mark { pointer: format!("{}{}", child.pointer(), mark.pointer), ..mark })
    })
}

fn is_set(schema: &Json, keyword: &str) -> bool {
    schema.get(keyword).is_some_and(|value| *value != Json::Bool(false))
}

/// Returns whether the subschemas of a keyword apply only where a reference leads to them.
pub(super) fn is_definition(keyword: &str) -> bool {
    matches!(keyword, "$defs" | "definitions")
}

/// Returns the subschema to which the `$ref` of a schema refers.
pub(super) fn referenced<'s>(index: &Index<'s>, schema: &'s Json) -> Option<&'s Json> {
    match index.resolve(schema, schema.get("$ref")?.as_str()?) {
        Target::Schema(target) => Some(target),
        _ => None,
    }
}

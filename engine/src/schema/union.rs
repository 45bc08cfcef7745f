//! Unions: a value or null, and records that are distinguished by a constant.

use std::sync::Arc;

use oms_core::value::{JsonKind, JsonNode, Member, RecordNode, Shape, Type};
use serde_json::{Map, Value as Json};

use super::compile::{Compiler, record_of_cases};

/// Returns the alternative of an `anyOf` or `oneOf` whose only other alternative is null.
pub(super) fn or_null(map: &Map<String, Json>) -> Option<(&'static str, &Json)> {
    if map.contains_key("type") || map.contains_key("properties") {
        return None;
    }
    ["anyOf", "oneOf"].into_iter().find_map(|keyword| {
        match map.get(keyword)?.as_array()?.as_slice() {
            [inner, null] | [null, inner] if is_null(null) && !is_null(inner) => {
                Some((keyword, inner))
            }
            _ => None,
        }
    })
}

fn is_null(schema: &Json) -> bool {
    let Json::Object(map) = schema else { return false };
    let says_null = match (map.get("type"), map.get("const"), map.get("enum")) {
        (Some(Json::String(name)), None, None) => name == "null",
        (None, Some(value), None) => value.is_null(),
        (None, None, Some(Json::Array(values))) => {
            !values.is_empty() && values.iter().all(Json::is_null)
        }
        _ => false,
    };
    let others = map.keys().filter(|name| !["type", "const", "enum"].contains(&name.as_str()));
    says_null && others.into_iter().all(|name| super::keywords::is_annotation(name))
}

impl<'s> Compiler<'_, 's> {
    /// Compiles a union whose cases are distinguished by a constant. The result is a single record.
    /// Members that only some cases have may be missing.
    pub(super) fn union(&mut self, cases: &'s [Json]) -> Option<(Type, JsonKind)> {
        let mut records = Vec::with_capacity(cases.len());
        for case in cases {
            let (_, node) = self.nested(case);
            let JsonKind::Record(record) = node.kind else { return None };
            records.push(record);
        }
        let lax = records.iter().filter(|record| record.lax).count() == 1;
        let types = records.iter().map(|record| Arc::clone(&record.ty)).collect();
        let merged = merge(records)?;
        let tagged = merged.iter().any(|(member, ty)| {
            member.required && matches!(&ty.shape, Shape::Text { values: Some(values), .. } if values.len() == cases.len())
        });
        if !tagged {
            return None;
        }
        let (ty, kind) = record_of_cases(merged, true, types);
        Some(match kind {
            // If exactly one case is lax, a value that is not an object matches exactly one case.
            JsonKind::Record(record) if lax => {
                (ty.or_null(), JsonKind::Record(RecordNode { lax, ..record }))
            }
            kind => (ty, kind),
        })
    }
}

/// Merges the records of the cases.
fn merge(records: Vec<RecordNode>) -> Option<Vec<(Member, Type)>> {
    let mut merged: Vec<(Member, Type)> = Vec::new();
    for (position, record) in records.into_iter().enumerate() {
        let here = Arc::clone(&record.ty);
        for (member, field) in record.members.into_iter().zip(here.fields()) {
            match merged.iter_mut().find(|(known, _)| known.name == member.name) {
                Some((known, ty)) => {
                    known.required &= member.required;
                    known.lax |= member.lax;
                    let nullable = known.node.nullable || member.node.nullable;
                    let personal = ty.contains_pii() || field.ty.contains_pii();
                    match join(ty, &field.ty) {
                        Some(joined) => {
                            known.node = JsonNode { kind: reader(&joined), nullable };
                            *ty = joined.with_pii(personal);
                        }
                        // The types of the cases cannot be joined, so the member is only validated.
                        None => {
                            known.node = JsonNode::ANY;
                            *ty = Type::of(Shape::Json).or_null().with_pii(personal);
                        }
                    }
                }
                None => {
                    // The earlier cases do not declare the member, so there it can have any value.
                    let first = position == 0;
                    let required = member.required && first;
                    let lax = member.lax || !first;
                    merged.push((Member { required, lax, ..member }, field.ty.clone()));
                }
            }
        }
        // A member that only earlier cases declare may be missing here, or have any value.
        for (known, _) in &mut merged {
            if here.position(&known.name).is_none() {
                known.required = false;
                known.lax = true;
            }
        }
    }
    for (member, ty) in &mut merged {
        ty.nullable |= !member.required;
    }
    (!merged.is_empty()).then_some(merged)
}

/// Joins two types. The constants of a tag are combined.
fn join(a: &Type, b: &Type) -> Option<Type> {
    match (&a.shape, &b.shape) {
        (Shape::Text { values: Some(first), .. }, Shape::Text { values: Some(second), .. }) => {
            let values: Arc<[Arc<str>]> = first.iter().chain(second.iter()).cloned().collect();
            let nullable = a.nullable || b.nullable;
            let shape = Shape::Text { chars_max: None, values: Some(values) };
            Some(Type { shape, nullable, ..a.clone() })
        }
        _ => a.join(b),
    }
}

fn reader(ty: &Type) -> JsonKind {
    match &ty.shape {
        Shape::Text { values, chars_max } => {
            JsonKind::Text { chars_min: 0, chars_max: *chars_max, values: values.clone() }
        }
        _ => JsonNode::stored(ty).kind,
    }
}

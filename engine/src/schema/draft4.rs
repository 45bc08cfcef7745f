//! Derives from an order schema a model that API Gateway can check. A model is a JSON Schema of
//! draft 4 in the form that OpenAPI 3.0 uses.
//!
//! The model is a coarse filter: every order that matches the schema also matches the model. API
//! Gateway does not check formats, alternatives and nulls, so the handlers that read the order
//! check them. Keywords that draft 4 does not have are reported. (API Gateway developer guide,
//! "Data models for REST APIs" and "Amazon API Gateway important notes".)

use serde_json::{Map, Value as Json, json};

use super::index::{Index, Target};
use super::problem::{SchemaProblem, SchemaProblemKind};

/// Keywords of 2020-12 that have no equivalent in draft 4.
const UNSUPPORTED: [&str; 15] = [
    "$dynamicAnchor",
    "$dynamicRef",
    "contains",
    "contentSchema",
    "dependentSchemas",
    "else",
    "if",
    "maxContains",
    "minContains",
    "prefixItems",
    "propertyNames",
    "then",
    "unevaluatedItems",
    "unevaluatedProperties",
    "$anchor",
];

/// Keywords that have the same meaning in a model.
const UNCHANGED: [&str; 9] = [
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "pattern",
];

/// Maximum nesting depth of a model. Deeper parts, such as those of a schema that contains itself,
/// are omitted. The handlers that read the order check them.
const DEPTH_MAX: usize = 16;
/// Maximum number of parts of a model. Further parts are omitted. The handlers that read the order
/// check them.
const NODES_MAX: usize = 10_000;

/// Returns the model of an order schema.
///
/// # Errors
/// Returns all keywords that models do not support.
pub(super) fn model(schema: &Json) -> Result<Json, Vec<SchemaProblem>> {
    let mut problems = Vec::new();
    unsupported(schema, &mut String::new(), &mut problems);
    if problems.is_empty() {
        Ok(Conversion { index: Index::new(schema), nodes: 0 }.node(schema, 0))
    } else {
        Err(problems)
    }
}

/// Keywords whose value is a schema or a list of schemas.
const NESTED: [&str; 6] = ["additionalProperties", "allOf", "anyOf", "items", "not", "oneOf"];
/// Keywords whose value is a map of schemas with arbitrary names.
const NAMED: [&str; 4] = ["$defs", "definitions", "patternProperties", "properties"];

fn unsupported(schema: &Json, pointer: &mut String, problems: &mut Vec<SchemaProblem>) {
    let Some(map) = schema.as_object() else { return };
    for (keyword, value) in map {
        if UNSUPPORTED.contains(&keyword.as_str()) {
            let pointer = format!("{pointer}/{keyword}");
            let message = format!("API Gateway models do not support `{keyword}`");
            problems.push(SchemaProblem {
                kind: SchemaProblemKind::Invalid,
                pointer,
                on_key: true,
                message,
                help: None,
            });
        }
        let length = pointer.len();
        match (NESTED.contains(&keyword.as_str()), NAMED.contains(&keyword.as_str()), value) {
            (true, _, Json::Array(list)) => {
                for (index, element) in list.iter().enumerate() {
                    pointer.push_str(&format!("/{keyword}/{index}"));
                    unsupported(element, pointer, problems);
                    pointer.truncate(length);
                }
            }
            (true, _, element) => {
                pointer.push_str(&format!("/{keyword}"));
                unsupported(element, pointer, problems);
                pointer.truncate(length);
            }
            (_, true, Json::Object(members)) => {
                for (name, member) in members {
                    let name = name.replace('~', "~0").replace('/', "~1");
                    pointer.push_str(&format!("/{keyword}/{name}"));
                    unsupported(member, pointer, problems);
                    pointer.truncate(length);
                }
            }
            _ => {}
        }
    }
}

struct Conversion<'s> {
    index: Index<'s>,
    nodes: usize,
}

impl Conversion<'_> {
    fn node(&mut self, schema: &Json, depth: usize) -> Json {
        self.nodes += 1;
        let within = depth < DEPTH_MAX && self.nodes <= NODES_MAX;
        let Some(map) = schema.as_object().filter(|_| within) else { return json!({}) };
        if let Some(reference) = map.get("$ref").and_then(Json::as_str) {
            return match self.index.resolve(schema, reference) {
                Target::Schema(target) => self.node(target, depth + 1),
                _ => json!({}),
            };
        }
        let mut model = Map::new();
        for keyword in UNCHANGED {
            if let Some(value) = map.get(keyword) {
                model.insert(keyword.to_owned(), value.clone());
            }
        }
        // In draft 4, exclusive limits need another keyword, which API Gateway does not check.
        for (exclusive, inclusive) in
            [("exclusiveMaximum", "maximum"), ("exclusiveMinimum", "minimum")]
        {
            if let (Some(limit), None) = (map.get(exclusive), map.get(inclusive)) {
                model.insert(inclusive.to_owned(), limit.clone());
            }
        }
        let nullable = map.get("nullable") == Some(&Json::Bool(true));
        match map.get("type").and_then(Json::as_str).filter(|_| !nullable) {
            // `1.0` is an integer, but not in draft 4.
            Some("integer") => _ = model.insert("type".to_owned(), json!("number")),
            Some(name) => _ = model.insert("type".to_owned(), json!(name)),
            // A model has a single type and no null.
            None => {}
        }
        let constant = map.get("const").map(|value| vec![value.clone()]);
        let values = constant.or_else(|| map.get("enum").and_then(Json::as_array).cloned());
        if let Some(values) = values.filter(|values| !nullable && !values.contains(&Json::Null)) {
            model.insert("enum".to_owned(), Json::Array(values));
        }
        if let Some(names) = map.get("required").and_then(Json::as_array)
            && !names.is_empty()
        {
            model.insert("required".to_owned(), Json::Array(names.clone()));
        }
        if let Some(members) = map.get("properties").and_then(Json::as_object) {
            let members =
                members.iter().map(|(name, member)| (name.clone(), self.node(member, depth + 1)));
            model.insert("properties".to_owned(), Json::Object(members.collect()));
        }
        if let Some(element) = map.get("items") {
            model.insert("items".to_owned(), self.node(element, depth + 1));
        }
        // A model cannot allow the members that `patternProperties` allows.
        let closed = map.get("additionalProperties") == Some(&Json::Bool(false));
        if closed && !map.contains_key("patternProperties") {
            model.insert("additionalProperties".to_owned(), Json::Bool(false));
        }
        Json::Object(model)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_never_stricter_than_its_schema() {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "type": "object", "required": ["id"], "additionalProperties": false,
            "properties": {
                "id": { "type": "string", "maxLength": 15, "x-pii": true },
                "count": { "type": "integer", "exclusiveMinimum": 0 },
                "kind": { "const": "a" },
                "note": { "type": ["string", "null"], "maxLength": 3 },
                "or": { "type": "string", "enum": ["x"], "nullable": true },
                "way": { "oneOf": [{ "$ref": "#/$defs/one" }, { "type": "object" }] },
                "day": { "$ref": "#/$defs/one" },
                "open": { "type": "object", "patternProperties": { "^x": {} }, "additionalProperties": false }
            },
            "$defs": { "one": { "type": "object", "required": [], "properties": { "day": { "type": "string", "format": "date" } } } }
        });
        let expected = json!({
            "type": "object", "required": ["id"], "additionalProperties": false,
            "properties": {
                "id": { "maxLength": 15, "type": "string" },
                "count": { "minimum": 0, "type": "number" },
                "kind": { "enum": ["a"] },
                "note": { "maxLength": 3 },
                "or": {},
                "way": {},
                "day": { "type": "object", "properties": { "day": { "type": "string" } } },
                "open": { "type": "object" },
            },
        });
        assert_eq!(model(&schema).unwrap(), expected);
    }

    #[test]
    fn unsupported_keywords_are_reported_with_their_places() {
        let schema = json!({
            "type": "object", "if": {},
            "properties": { "if": { "type": "string" }, "a/b": { "items": { "contains": {} } } },
            "anyOf": [{ "propertyNames": {} }],
        });
        let problems = model(&schema).unwrap_err();
        let pointers: Vec<&str> = problems.iter().map(|problem| &*problem.pointer).collect();
        assert_eq!(pointers, ["/if", "/properties/a~1b/items/contains", "/anyOf/0/propertyNames"]);
    }

    #[test]
    fn the_model_of_a_recursive_schema_is_finite() {
        let schema = json!({ "type": "object", "properties": { "child": { "$ref": "#" } } });
        let text = model(&schema).unwrap().to_string();
        assert!(text.len() < 2_000, "{text}");
    }
}

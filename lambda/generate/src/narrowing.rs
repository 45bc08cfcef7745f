//! Finds the keywords of a JSON Schema that may reject values that an earlier version accepts
//! (JSON Schema 2020-12, "Validation vocabularies"). It may report a change that rejects nothing,
//! but misses none: keywords that it cannot compare count as narrower if they differ.

use std::collections::BTreeSet;

use serde_json::{Map, Value as Json};

/// Keywords that only describe values.
const ANNOTATIONS: [&str; 11] = [
    "$comment",
    "$id",
    "$schema",
    "default",
    "deprecated",
    "description",
    "examples",
    "readOnly",
    "title",
    "writeOnly",
    "$anchor",
];
/// Keywords of `oms` that restrict values. Its other keywords only describe them.
const OWN: [&str; 3] = ["x-date-format", "x-precision", "x-scale"];
/// Keywords whose removal may reject values, because another keyword or a default then applies.
const NEEDED: [&str; 8] = [
    "minContains",
    "nullable",
    "patternProperties",
    "prefixItems",
    "unevaluatedItems",
    "x-date-format",
    "x-precision",
    "x-scale",
];
/// Keywords whose larger values reject more, and those whose smaller values reject more.
const LOWER: [&str; 6] =
    ["minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains"];
const UPPER: [&str; 6] =
    ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains"];
/// Keywords whose value is a schema for parts of the value.
const SCHEMAS: [&str; 3] = ["items", "additionalProperties", "propertyNames"];

/// Returns the changes, each with the JSON pointer of the keyword.
pub(crate) fn narrowed(old: &Json, new: &Json) -> Vec<String> {
    let mut found = Vec::new();
    compare(old, new, "", &mut found);
    found
}

fn compare(old: &Json, new: &Json, at: &str, found: &mut Vec<String>) {
    let none = Map::new();
    let (old, new) = match (old, new) {
        (_, Json::Bool(true)) | (Json::Bool(false), _) => return,
        (_, Json::Object(new)) if old == &Json::Bool(true) => (&none, new),
        (Json::Object(old), Json::Object(new)) => (old, new),
        _ => return found.push(changed(at, Some(old), new)),
    };
    for (keyword, value) in new {
        let before = old.get(keyword);
        let is_own = keyword.starts_with("x-") && !OWN.contains(&keyword.as_str());
        if before == Some(value) || is_own || ANNOTATIONS.contains(&keyword.as_str()) {
            continue;
        }
        let place = format!("{at}/{keyword}");
        match keyword.as_str() {
            "properties" => members(old, value, &place, found),
            "$defs" => definitions(before, value, &place, found),
            keyword if SCHEMAS.contains(&keyword) => {
                compare(before.unwrap_or(&Json::Bool(true)), value, &place, found);
            }
            "required" if list(before).is_superset(&list(Some(value))) => {}
            "enum" if before.is_some() && list(Some(value)).is_superset(&list(before)) => {}
            "type"
                if before.is_some()
                    && types(value).is_superset(&types(before.unwrap_or(value))) => {}
            keyword
                if LOWER.contains(&keyword)
                    && order(before, value).is_some_and(|it| it.is_gt()) => {}
            keyword
                if UPPER.contains(&keyword)
                    && order(before, value).is_some_and(|it| it.is_lt()) => {}
            _ => found.push(changed(&place, before, value)),
        }
    }
    for keyword in NEEDED.iter().filter(|keyword| !new.contains_key(**keyword)) {
        if old.contains_key(*keyword) {
            found.push(format!("`{at}/{keyword}` is removed"));
        }
    }
    // A member that is no longer declared may now be subject to `additionalProperties`.
    if new.get("additionalProperties").is_some_and(|value| value != &Json::Bool(true)) {
        let now = new.get("properties").and_then(Json::as_object);
        let before = old.get("properties").and_then(Json::as_object);
        for name in before.into_iter().flat_map(Map::keys) {
            if !now.is_some_and(|now| now.contains_key(name)) {
                found.push(format!("`{at}/properties/{}` is removed", escaped(name)));
            }
        }
    }
}

/// Compares declared members. A member that was not declared before was subject to
/// `additionalProperties`.
fn members(old: &Map<String, Json>, new: &Json, at: &str, found: &mut Vec<String>) {
    let before = old.get("properties").and_then(Json::as_object);
    let free = old.get("additionalProperties").unwrap_or(&Json::Bool(true));
    for (name, schema) in new.as_object().into_iter().flatten() {
        let before = before.and_then(|before| before.get(name)).unwrap_or(free);
        compare(before, schema, &format!("{at}/{}", escaped(name)), found);
    }
}

fn definitions(old: Option<&Json>, new: &Json, at: &str, found: &mut Vec<String>) {
    for (name, schema) in new.as_object().into_iter().flatten() {
        // A new definition is only used by keywords that have changed, too.
        if let Some(before) = old.and_then(|old| old.get(name)) {
            let place = format!("{at}/{}", escaped(name));
            compare(before, schema, &place, found);
            // Under `not`, `if` or `oneOf`, a wider definition rejects more.
            compare(schema, before, &place, found);
        }
    }
}

/// Returns the elements of a list as JSON.
fn list(value: Option<&Json>) -> BTreeSet<String> {
    let elements = value.and_then(Json::as_array).into_iter().flatten();
    elements.map(Json::to_string).collect()
}

/// Returns the names of types. Every integer is a number.
fn types(value: &Json) -> BTreeSet<&str> {
    let mut names: BTreeSet<&str> = match value {
        Json::String(name) => BTreeSet::from([name.as_str()]),
        value => value.as_array().into_iter().flatten().filter_map(Json::as_str).collect(),
    };
    if names.contains("number") {
        names.insert("integer");
    }
    names
}

/// Compares two numbers: the earlier one with the new one.
fn order(before: Option<&Json>, value: &Json) -> Option<std::cmp::Ordering> {
    let number = |value: &Json| value.as_f64();
    number(before?)?.partial_cmp(&number(value)?)
}

fn changed(at: &str, before: Option<&Json>, value: &Json) -> String {
    match before {
        Some(before) => format!("`{at}` has changed from `{before}` to `{value}`"),
        None => format!("`{at}` is new: `{value}`"),
    }
}

/// Escapes a member's name for a JSON pointer (RFC 6901, section 3).
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn narrower_keywords_are_found() {
        let old = json!({
            "type": "object",
            "properties": {
                "a/b": { "type": ["number", "null"], "minimum": 1, "maximum": 9 },
                "c": { "enum": ["x", "y"] },
                "d": { "items": { "maxLength": 9 } },
                "e": true,
            },
            "required": ["c"],
            "$defs": { "f": { "maxLength": 9 } },
        });
        let new = json!({
            "type": "object",
            "properties": {
                "a/b": { "type": "integer", "minimum": 2, "maximum": 8 },
                "c": { "enum": ["x"] },
                "d": { "items": { "maxLength": 8, "pattern": "^x" } },
                "e": { "type": "string" },
                "g": { "type": "string" },
            },
            "required": ["c", "d"],
            "additionalProperties": false,
            "$defs": { "f": { "maxLength": 8 } },
        });
        let places: BTreeSet<String> = narrowed(&old, &new)
            .iter()
            .filter_map(|change| change.split('`').nth(1).map(str::to_owned))
            .collect();
        let expected = [
            "/$defs/f/maxLength",
            "/additionalProperties",
            "/properties/a~1b/maximum",
            "/properties/a~1b/minimum",
            "/properties/a~1b/type",
            "/properties/c/enum",
            "/properties/d/items/maxLength",
            "/properties/d/items/pattern",
            "/properties/e/type",
            "/properties/g/type",
            "/required",
        ];
        assert_eq!(places, expected.map(str::to_owned).into());
    }

    #[test]
    fn wider_keywords_and_descriptions_are_not_reported() {
        let old = json!({
            "type": "object",
            "title": "Order",
            "properties": {
                "a": { "type": "integer", "minimum": 2, "maxLength": 5 },
                "b": { "enum": ["x"] },
                "c": { "pattern": "^x" },
            },
            "required": ["a", "b"],
            "additionalProperties": false,
        });
        let new = json!({
            "type": ["object", "null"],
            "description": "An order",
            "properties": {
                "a": { "type": "number", "minimum": 1, "maxLength": 6 },
                "b": { "enum": ["x", "y"] },
                "c": { "x-customer": true },
                "d": { "type": "string" },
            },
            "required": ["b"],
            "additionalProperties": false,
        });
        assert_eq!(narrowed(&old, &new), Vec::<String>::new());
        let removed = json!({ "additionalProperties": false, "properties": { "a": {}, "b": {} } });
        assert_eq!(narrowed(&old, &removed), ["`/properties/c` is removed"]);
    }
}

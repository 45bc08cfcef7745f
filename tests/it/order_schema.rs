//! The order schema against the JSON-Schema-Test-Suite. Each schema of the suite, as the schema of
//! an order's member, gives every expected result or is rejected when the pipeline is validated.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use oms_engine::schema::{OrderSchema, TypeRules};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use crate::harness::{files, root, test_data};

/// Groups of the suite that are rejected: file, group and reason. Both copies of the suite contain
/// all of them.
const REJECTED_SCHEMAS: &[(&str, &str, &str)] = &[
    ("if-then-else", "ignore if without then or else", "`if` has no effect"),
    ("if-then-else", "ignore then without if", "`then` has no effect"),
    ("if-then-else", "ignore else without if", "`else` has no effect"),
    ("if-then-else", "non-interference across combined schemas", "`if` has no effect"),
];

/// A schema and its test cases.
#[derive(Deserialize)]
struct Group {
    description: String,
    schema: Json,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    description: String,
    data: Box<RawValue>,
    valid: bool,
}

#[test]
fn every_result_agrees_with_the_committed_part_of_the_suite() {
    compare_results(&files(&root().join("tests/schema/suite"), ".json"), REJECTED_SCHEMAS);
    compare_results(&[root().join("tests/schema/groups.json")], &[]);
}

#[test]
fn every_result_agrees_with_the_suite() {
    let Some(data) = test_data("the JSON Schema test suite") else { return };
    compare_results(&files(&data.join("json-schema-test-suite"), ".json"), REJECTED_SCHEMAS);
}

/// The results of the comparison.
#[derive(Default)]
struct Tally {
    compared: usize,
    typed: usize,
    wrong: Vec<String>,
    refused: BTreeMap<(String, String), BTreeSet<String>>,
}

fn compare_results(paths: &[PathBuf], refused: &[(&str, &str, &str)]) {
    assert!(!paths.is_empty());
    let mut tally = Tally::default();
    for path in paths {
        let text = std::fs::read(path).unwrap();
        let groups: Vec<Group> = serde_json::from_slice(&text).unwrap();
        for group in groups {
            tally.group(path, &group);
        }
    }
    let Tally { compared, typed, wrong, refused: found } = tally;
    assert!(compared > 0 && typed > 0, "{compared} results, and {typed} with a `type`");
    eprintln!("{compared} results, and {typed} with a `type`; {} groups are rejected", found.len());
    assert!(wrong.is_empty(), "{} results differ:\n{}", wrong.len(), wrong.join("\n"));
    let unexpected: Vec<_> = found
        .iter()
        .filter(|((file, group), _)| !refused.iter().any(|(f, g, _)| f == file && g == group))
        .collect();
    assert!(unexpected.is_empty(), "unexpectedly rejected: {unexpected:#?}");
    for (file, group, reason) in refused {
        let messages = found.get(&((*file).to_owned(), (*group).to_owned()));
        let messages = messages.unwrap_or_else(|| panic!("{file}: {group}: not rejected"));
        assert!(messages.iter().any(|message| message.contains(reason)), "{group}: {messages:?}");
    }
}

impl Tally {
    fn group(&mut self, path: &Path, group: &Group) {
        let file = path.file_stem().unwrap().to_string_lossy().into_owned();
        for case in &group.tests {
            let name = format!("{file}: {}: {}", group.description, case.description);
            let plain =
                [embedded(&group.schema), defined(&group.schema), with_own_id(&group.schema)];
            for schema in plain.into_iter().flatten() {
                self.compared += usize::from(self.case(&file, group, case, &name, &schema));
            }
            let all = group.tests.iter().map(type_of).collect();
            for types in [BTreeSet::from([type_of(case)]), all] {
                let Some(schema) = with_type(&group.schema, &types) else { continue };
                let name = format!("{name}, with {types:?}");
                self.typed += usize::from(self.typed(case, &name, &embedded(&schema).unwrap()));
            }
        }
    }

    /// Compares one result, unless the schema is rejected.
    fn case(&mut self, file: &str, group: &Group, case: &Case, name: &str, schema: &Json) -> bool {
        let (compiled, problems) = OrderSchema::compile(schema, TypeRules::Current);
        if !problems.is_empty() {
            let key = (file.to_owned(), group.description.clone());
            let messages = problems.into_iter().map(|problem| problem.message);
            self.refused.entry(key).or_default().extend(messages);
            return false;
        }
        self.compare(case, name, &compiled);
        true
    }

    /// Compares one result of a schema with a type, unless a keyword has no effect on the type.
    fn typed(&mut self, case: &Case, name: &str, schema: &Json) -> bool {
        let (compiled, problems) = OrderSchema::compile(schema, TypeRules::Current);
        if let Some(problem) = problems.first() {
            if !problem.message.contains("has no effect") {
                self.wrong.push(format!("{name}: rejected: {}", problem.message));
            }
            return false;
        }
        self.compare(case, name, &compiled);
        true
    }

    fn compare(&mut self, case: &Case, name: &str, compiled: &OrderSchema) {
        let body = format!(r#"{{"id":"A","v":{}}}"#, case.data.get());
        let read = compiled.read(body.as_bytes());
        if read.is_ok() != case.valid {
            let problems = read.err();
            self.wrong.push(format!("{name}: expected {}, {problems:?}", case.valid));
        }
    }
}

/// Returns an order schema with `schema` as the schema of a member, and adjusts its references.
fn embedded(schema: &Json) -> Option<Json> {
    let mut schema = schema.clone();
    if schema.get("$id").is_none() {
        prefix_references(&mut schema, "/properties/v");
    }
    Some(
        json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "string" }, "v": schema } }),
    )
}

/// Returns an order schema with `schema` as a definition to which a member refers.
fn defined(schema: &Json) -> Option<Json> {
    let mut schema = schema.clone();
    if schema.get("$id").is_none() {
        prefix_references(&mut schema, "/$defs/v");
    }
    Some(
        json!({ "type": "object", "required": ["id"], "properties": { "id": { "type": "string" }, "v": { "$ref": "#/$defs/v" } }, "$defs": { "v": schema } }),
    )
}

/// Gives a schema its own `$id`, so that its references need no adjustment.
fn with_own_id(schema: &Json) -> Option<Json> {
    let mut schema = schema.clone();
    let map = schema.as_object_mut().filter(|map| !map.contains_key("$id"))?;
    map.insert("$id".to_owned(), json!("https://example.com/v"));
    embedded(&schema)
}

fn prefix_references(schema: &mut Json, to: &str) {
    match schema {
        Json::Object(map) => {
            for (name, value) in map.iter_mut() {
                match value {
                    Json::String(reference) if name == "$ref" || name == "$dynamicRef" => {
                        if reference == "#" || reference.starts_with("#/") {
                            reference.insert_str(1, to);
                        }
                    }
                    // References in an embedded resource are relative to its own `$id`.
                    Json::Object(map) if map.contains_key("$id") => {}
                    _ if name == "const" || name == "enum" => {}
                    value => prefix_references(value, to),
                }
            }
        }
        Json::Array(elements) => {
            elements.iter_mut().for_each(|element| prefix_references(element, to))
        }
        _ => {}
    }
}

/// Adds types to a schema that has none. Skips schemas that refer to themselves, because the types
/// would then apply to nested values too.
fn with_type(schema: &Json, types: &BTreeSet<&str>) -> Option<Json> {
    if schema.to_string().contains(r##""$ref":"#""##) {
        return None;
    }
    let mut schema = schema.clone();
    let map = schema.as_object_mut().filter(|map| !map.contains_key("type"))?;
    let types = match types.first().filter(|_| types.len() == 1) {
        Some(only) => json!(only),
        None => json!(types),
    };
    map.insert("type".to_owned(), types);
    Some(schema)
}

fn type_of(case: &Case) -> &'static str {
    match serde_json::from_str(case.data.get()).unwrap() {
        Json::Null => "null",
        Json::Bool(_) => "boolean",
        Json::Number(number) if number.is_i64() || number.is_u64() => "integer",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(_) => "array",
        Json::Object(_) => "object",
    }
}

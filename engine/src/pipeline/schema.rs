//! Generates the JSON Schema of the pipeline file from the Rust types. The schema has the form that
//! editors handle best. It declares the common keys of steps once, and the keys below `with` in one
//! `if`/`then` per kind.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json, json};

use super::file::PipelineFile;

/// The part of a kind that the schema contains.
pub struct KindSchema {
    /// The name, such as `money.convert`.
    pub name: &'static str,
    /// A description in one sentence.
    pub summary: String,
    /// The self-contained schema of the settings.
    pub config: Json,
}

/// Names of rate tables and services.
const NAME_PATTERN: &str = "^[a-z][a-z0-9_-]{0,62}$";
/// Ids of steps, and names of settings. They are names in expressions, where `-` would be a minus sign.
const STEP_PATTERN: &str = "^[a-z][a-z0-9_]{0,62}$";
/// Names of columns. Every database accepts them unquoted, except for reserved words such as
/// `order`. The prefix `oms_` is reserved.
const COLUMN_PATTERN: &str = "^(?!oms_)[a-z][a-z0-9_]{0,62}$";
/// Names of tables. In addition to `oms_`, SQLite reserves the prefix `sqlite_`.
const TABLE_PATTERN: &str = "^(?!oms_|sqlite_)[a-z][a-z0-9_]{0,62}$";
/// Names of handlers. They are parts of the names of Lambda functions, after the pipeline's name.
const HANDLER_PATTERN: &str = "^[a-zA-Z][a-zA-Z0-9_-]{0,63}$";
/// Names of elements of `for_each` and of their indexes. Names with a meaning in expressions and
/// names that CEL reserves are excluded.
const ELEMENT_PATTERN: &str = "^(?!(order|run|steps|error|intake|true|false|null|in|as|break|const|continue|else|for|function|if|import|let|loop|package|namespace|return|var|void|while)$)[a-z][a-z0-9_]{0,62}$";
/// Language tags of BCP 47, by their grammar only: parts of letters and digits, the first one of
/// letters.
const LOCALE_PATTERN: &str = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$";

/// Returns the JSON Schema (2020-12) of the pipeline file for these kinds.
pub fn pipeline_schema(kinds: &[KindSchema]) -> Json {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<PipelineFile>().to_value();
    present_or_absent(&mut schema);
    set(&mut schema, "/$id", json!("https://oms.invalid/schema/pipeline.schema.json"));
    for (section, pattern) in [
        ("steps", STEP_PATTERN),
        ("settings", STEP_PATTERN),
        ("services", NAME_PATTERN),
        ("rates", NAME_PATTERN),
        ("tables", TABLE_PATTERN),
        ("handlers", HANDLER_PATTERN),
    ] {
        set(
            &mut schema,
            &format!("/properties/{section}/propertyNames"),
            json!({ "pattern": pattern }),
        );
    }
    set(&mut schema, "/properties/steps/minProperties", json!(1));
    set(
        &mut schema,
        "/$defs/TableSection/properties/columns/propertyNames",
        json!({ "pattern": COLUMN_PATTERN }),
    );
    for name in ["as", "index"] {
        let pointer = format!("/$defs/ForEachSection/properties/{name}/pattern");
        set(&mut schema, &pointer, json!(ELEMENT_PATTERN));
    }
    set(&mut schema, "/$defs/MailSection/properties/locale/pattern", json!(LOCALE_PATTERN));
    set(&mut schema, "/$defs/TableSection/properties/columns/minProperties", json!(1));
    rates_by_source(&mut schema);
    verify_by_scheme(&mut schema);
    let uses: Vec<Json> = kinds
        .iter()
        .map(|kind| json!({ "const": kind.name, "title": kind.name, "description": kind.summary }))
        .collect();
    set(
        &mut schema,
        "/$defs/StepSection/properties/uses",
        json!({
            "description": "The step's kind.",
            "type": "string",
            "oneOf": uses,
        }),
    );
    set(
        &mut schema,
        "/$defs/StepSection/properties/with",
        json!({ "description": "The kind's settings." }),
    );
    let mut by_kind = Vec::new();
    for kind in kinds {
        let definition = definition_name(kind.name);
        let mut then =
            json!({ "properties": { "with": { "$ref": format!("#/$defs/{definition}") } } });
        let needs_settings = kind
            .config
            .get("required")
            .and_then(Json::as_array)
            .is_some_and(|keys| !keys.is_empty());
        if needs_settings {
            set(&mut then, "/required", json!(["with"]));
        }
        by_kind.push(json!({
            "if": { "properties": { "uses": { "const": kind.name } }, "required": ["uses"] },
            "then": then,
        }));
        // A kind's definition refers to its own definitions. They are moved to the root, and their
        // names are prefixed with that of the kind.
        let mut config = own_definitions(&kind.config, &definition);
        alternatives_without_null(&mut config);
        if let Some(Json::Object(own)) = config.as_object_mut().and_then(|map| map.remove("$defs"))
        {
            for (name, body) in own {
                set(&mut schema, &format!("/$defs/{definition}.{name}"), body);
            }
        }
        if let Some(map) = config.as_object_mut() {
            map.remove("$schema");
        }
        set(&mut schema, &format!("/$defs/{definition}"), config);
    }
    set(&mut schema, "/$defs/StepSection/allOf", Json::Array(by_kind));
    set(
        &mut schema,
        "/$defs/StepSection/defaultSnippets",
        Json::Array(kinds.iter().map(snippet).collect()),
    );
    unwrap_descriptions(&mut schema);
    schema
}

/// Joins the lines of each paragraph of the descriptions. They come from doc comments, whose lines
/// have a maximum width, and editors show every line break.
fn unwrap_descriptions(schema: &mut Json) {
    each_object(schema, &mut |map| {
        let Some(Json::String(text)) = map.get_mut("description") else { return };
        let paragraphs: Vec<String> = text
            .split("\n\n")
            .map(|paragraph| {
                let is_block = |line: &str| {
                    ["- ", "|", "```", "    "].iter().any(|start| line.starts_with(start))
                };
                match paragraph.lines().any(is_block) {
                    true => paragraph.to_owned(),
                    false => paragraph.replace('\n', " "),
                }
            })
            .collect();
        *text = paragraphs.join("\n\n");
    });
}

/// Makes optional settings reject `null`. The generated schema allows `null` as an alternative for
/// each optional field, but faults in alternatives have no exact place.
fn present_or_absent(schema: &mut Json) {
    alternatives_without_null(schema);
    each_object(schema, &mut |map| {
        let Some(Json::Array(types)) = map.get_mut("type") else { return };
        types.retain(|name| name != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            map.insert("type".to_owned(), only);
        }
    });
}

/// Turns `anyOf: [X, {type: null}]` into X.
fn alternatives_without_null(schema: &mut Json) {
    each_object(schema, &mut |map| {
        let Some(Json::Array(cases)) = map.get("anyOf") else { return };
        let others: Vec<&Json> =
            cases.iter().filter(|case| **case != json!({ "type": "null" })).collect();
        let ([Json::Object(only)], true) = (others.as_slice(), others.len() < cases.len()) else {
            return;
        };
        let only = (*only).clone();
        map.remove("anyOf");
        for (keyword, value) in only {
            map.entry(keyword).or_insert(value);
        }
    });
}

fn each_object(schema: &mut Json, change: &mut impl FnMut(&mut Map<String, Json>)) {
    match schema {
        Json::Object(map) => {
            change(map);
            map.values_mut().for_each(|below| each_object(below, change));
        }
        Json::Array(elements) => {
            elements.iter_mut().for_each(|below| each_object(below, change));
        }
        _ => {}
    }
}

/// Adds the keys that a rate table has for each source.
fn rates_by_source(schema: &mut Json) {
    let case = |source: &str, required: &[&str], forbidden: &[&str]| {
        let forbidden: Map<String, Json> =
            forbidden.iter().map(|key| ((*key).to_owned(), json!(false))).collect();
        json!({
            "if": { "properties": { "source": { "const": source } }, "required": ["source"] },
            "then": { "required": required, "properties": forbidden },
        })
    };
    let cases = json!([
        case("ecb", &["file", "max_age_days"], &["base", "quote", "table"]),
        case("fixed", &["base", "quote", "table"], &["file", "overrides", "max_age_days"]),
    ]);
    set(schema, "/$defs/RatesSection/allOf", cases);
}

/// Adds the keys that a verification has for the scheme `hmac`, and only for it.
fn verify_by_scheme(schema: &mut Json) {
    let hmac = json!({ "properties": { "scheme": { "const": "hmac" } }, "required": ["scheme"] });
    let keys = ["header", "algorithm", "encoding", "prefix"];
    let forbidden: Map<String, Json> =
        keys.iter().map(|key| ((*key).to_owned(), json!(false))).collect();
    let other = json!({ "properties": { "scheme": { "not": { "const": "hmac" } } } });
    let cases = json!([
        { "if": hmac, "then": { "required": ["header", "encoding"] } },
        { "if": other, "then": { "properties": forbidden } },
    ]);
    set(schema, "/$defs/VerifySection/allOf", cases);
}

/// Returns the snippet with which an editor completes a step of a kind.
fn snippet(kind: &KindSchema) -> Json {
    let required =
        kind.config.get("required").and_then(Json::as_array).cloned().unwrap_or_default();
    let with: Map<String, Json> = required
        .iter()
        .filter_map(Json::as_str)
        .enumerate()
        .map(|(position, key)| (key.to_owned(), json!(format!("${}", position + 1))))
        .collect();
    json!({ "label": kind.name, "description": kind.summary, "body": { "uses": kind.name, "with": with } })
}

/// Prefixes the references within a kind's schema with its name, so that two kinds can each define
/// a `Mode`, for example.
fn own_definitions(config: &Json, definition: &str) -> Json {
    match config {
        Json::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let name = value.as_str().and_then(|text| text.strip_prefix("#/$defs/"));
                let value = match name.filter(|_| key == "$ref") {
                    Some(name) => Json::String(format!("#/$defs/{definition}.{name}")),
                    None => own_definitions(value, definition),
                };
                (key.clone(), value)
            })
            .collect::<Map<String, Json>>()
            .into(),
        Json::Array(elements) => {
            elements.iter().map(|element| own_definitions(element, definition)).collect()
        }
        other => other.clone(),
    }
}

fn definition_name(kind: &str) -> String {
    format!("with.{kind}")
}

/// Sets the value at a pointer, and creates missing parent objects.
fn set(schema: &mut Json, pointer: &str, value: Json) {
    let mut place = schema;
    for token in pointer.split('/').skip(1) {
        if !place.is_object() {
            *place = json!({});
        }
        let Some(map) = place.as_object_mut() else { return };
        place = map.entry(token).or_insert(Json::Null);
    }
    *place = value;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schema() -> Json {
        let config = json!({
            "type": "object",
            "required": ["a"],
            "properties": { "a": { "anyOf": [{ "$ref": "#/$defs/A" }, { "type": "null" }] } },
            "$defs": { "A": { "type": "string" } },
        });
        pipeline_schema(&[KindSchema { name: "t.t", summary: "Tests.".to_owned(), config }])
    }

    #[test]
    fn optional_sections_have_no_alternatives() {
        let text = schema().to_string();
        assert!(!text.contains("anyOf"), "{text}");
        assert!(!text.contains(r#""null""#), "{text}");
    }

    #[test]
    fn a_kind_with_required_settings_requires_with() {
        let then = schema().pointer("/$defs/StepSection/allOf/0/then/required").cloned();
        assert_eq!(then, Some(json!(["with"])));
    }

    #[test]
    fn names_that_would_fail_later_are_rejected() {
        let schema = schema();
        let allows = |pattern: &str, name: &str| {
            jsonschema::draft202012::new(&json!({ "pattern": pattern }))
                .unwrap()
                .is_valid(&json!(name))
        };
        for (pattern, good, bad) in [
            (ELEMENT_PATTERN, ["item", "orders", "inner"], ["order", "in", "while"]),
            (TABLE_PATTERN, ["bills", "sqlite", "oms"], ["sqlite_x", "oms_x", "A"]),
            (HANDLER_PATTERN, ["initiate-billing", "A1", "a_b"], ["1a", "a b", ""]),
            (LOCALE_PATTERN, ["en", "de-AT", "zh-Hant-TW"], ["de_AT", "e", "en-"]),
        ] {
            assert!(schema.to_string().contains(&pattern.replace('\\', "\\\\")), "{pattern}");
            for name in good {
                assert!(allows(pattern, name), "{name}");
            }
            for name in bad {
                assert!(!allows(pattern, name), "{name}");
            }
        }
    }
}

//! The JSON Schema of the pipeline file, from the Rust types, in the form that editors handle best:
//! each step has its common keys once, and one `if`/`then` per kind says what stands under `with`.

use schemars::generate::SchemaSettings;
use serde_json::{Map, Value as Json, json};

use super::file::PipelineFile;

/// What the schema must know about a kind.
pub struct KindSchema {
    /// Its name, such as `money.convert`.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub summary: String,
    /// The schema of its settings, self-contained.
    pub config: Json,
}

/// Ids of steps, tables and the like.
const NAME_PATTERN: &str = "^[a-z][a-z0-9_-]{0,62}$";
/// Ids of steps: they are names in expressions, where `-` would subtract.
const STEP_PATTERN: &str = "^[a-z][a-z0-9_]{0,62}$";
/// Columns and tables: names that every database takes unquoted; those beginning with `oms_` are ours.
const TABLE_PATTERN: &str = "^(?!oms_)[a-z][a-z0-9_]{0,62}$";

/// Returns the schema (2020-12) of the pipeline file for these kinds.
pub fn pipeline_schema(kinds: &[KindSchema]) -> Json {
    let generator = SchemaSettings::draft2020_12().into_generator();
    let mut schema = generator.into_root_schema_for::<PipelineFile>().to_value();
    set(&mut schema, "/$id", json!("https://oms.invalid/schema/pipeline.schema.json"));
    for (section, pattern) in [("steps", STEP_PATTERN), ("rates", NAME_PATTERN)] {
        set(
            &mut schema,
            &format!("/properties/{section}/propertyNames"),
            json!({ "pattern": pattern }),
        );
    }
    set(&mut schema, "/properties/steps/minProperties", json!(1));
    set(&mut schema, "/properties/tables/propertyNames", json!({ "pattern": TABLE_PATTERN }));
    set(
        &mut schema,
        "/$defs/TableSection/properties/columns/propertyNames",
        json!({ "pattern": TABLE_PATTERN }),
    );
    set(&mut schema, "/$defs/TableSection/properties/columns/minProperties", json!(1));
    rates_by_source(&mut schema);
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
        by_kind.push(json!({
            "if": { "properties": { "uses": { "const": kind.name } }, "required": ["uses"] },
            "then": { "properties": { "with": { "$ref": format!("#/$defs/{definition}") } } },
        }));
        // A definition of a kind refers to definitions of its own, which move up beside it.
        let mut config = kind.config.clone();
        if let Some(Json::Object(own)) = config.as_object_mut().and_then(|map| map.remove("$defs"))
        {
            for (name, body) in own {
                set(&mut schema, &format!("/$defs/{name}"), body);
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
    schema
}

/// Says which keys a rate table has for each source.
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

/// What an editor offers as a whole step of a kind.
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

fn definition_name(kind: &str) -> String {
    format!("with.{kind}")
}

/// Puts a value at a pointer whose parents are objects, making those that are missing.
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

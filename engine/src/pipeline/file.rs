//! The top of the file and its smaller sections.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value as Json;

use super::mail::MailSection;
use super::sections::{RatesSection, TableSection};
use super::step::StepSection;
use crate::time_zone::COMMON;

/// What happens to an order: one file, a graph of typed steps.
///
/// Only its schema is used as a whole; sections are read one by one, so that a fault in one does
/// not hide another's.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "oms pipeline")]
#[expect(dead_code, reason = "the fields exist for the generated schema")]
pub(super) struct PipelineFile {
    /// Version of the file format. Always 1.
    #[schemars(extend("const" = 1))]
    oms: u32,
    /// Name of the pipeline: it names the state directory, and with an order's key the run.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$"))]
    name: String,
    /// What the pipeline is for, for people.
    description: Option<String>,
    /// Time zone in which an instant has its day: for `date(t)`, `{{date t}}` in mails and the
    /// rates of `money.convert`. A name of the IANA time zone database, such as `Europe/Berlin`.
    #[schemars(extend("default" = "UTC", "examples" = COMMON))]
    time_zone: Option<String>,
    /// What an order looks like, and what tells one from another.
    order: OrderSection,
    /// Where orders come in over HTTP.
    intake: Option<IntakeSection>,
    /// Rate tables, by name, for `money.convert`.
    #[serde(default)]
    rates: BTreeMap<String, RatesSection>,
    /// Tables, by name, with their columns and keys.
    #[serde(default)]
    tables: BTreeMap<String, TableSection>,
    /// Who sends mail, and where its templates lie.
    mail: Option<MailSection>,
    /// The steps, by id. A step runs when all that it needs has run; what nothing connects runs
    /// side by side.
    steps: BTreeMap<String, StepSection>,
    /// How the graph is cut for AWS Lambda: which steps one function runs. Without it: one per
    /// branch.
    handlers: Option<Handlers>,
}

/// Steps of each handler, by the handler's name.
pub type Handlers = BTreeMap<String, Vec<String>>;

/// What an order looks like, and what tells one from another.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderSection {
    /// A JSON Schema (2020-12) for the order: a file, or the schema itself.
    pub schema: SchemaSource,
    /// What tells one order from another, such as `${{ order.order_id }}`. One run per key, ever.
    pub key: String,
    /// Files with sample orders; `*` stands for any characters in the last part of the path.
    #[serde(default)]
    pub samples: Vec<String>,
    /// Bytes that an order may have at the most.
    #[serde(default = "body_bytes_default")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub max_bytes: u32,
}

/// Bytes of an order where the pipeline says nothing.
const fn body_bytes_default() -> u32 {
    256 * 1024
}

/// A JSON Schema, here or in a file.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Json")]
pub enum SchemaSource {
    /// A file, relative to the pipeline.
    File(String),
    /// The schema itself.
    Inline(Json),
}

impl From<Json> for SchemaSource {
    fn from(json: Json) -> Self {
        match json {
            Json::String(path) => Self::File(path),
            schema => Self::Inline(schema),
        }
    }
}

impl JsonSchema for SchemaSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SchemaSource".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A JSON Schema (2020-12) for the order: the path of a file, or the schema itself.",
            "type": ["string", "object"],
        })
    }
}

/// Where orders come in over HTTP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntakeSection {
    /// The path of a `PUT`; its last part is `{key}`, such as `/order/{key}`.
    #[schemars(regex(pattern = r"^(/[A-Za-z0-9._~-]+)*/\{key\}$"))]
    pub path: String,
    /// Who takes orders in on AWS; elsewhere it changes nothing.
    #[serde(default)]
    pub mode: IntakeMode,
}

/// Who takes orders in on AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntakeMode {
    /// A handler: an order is checked as everywhere, and answered as everywhere.
    #[default]
    Handler,
    /// API Gateway, which checks a part of the order's schema and stores what passes by itself: no
    /// handler runs, and what is no order after all lies with the dead letters. The same order
    /// again is answered with 409, like another one with its key.
    Direct,
}

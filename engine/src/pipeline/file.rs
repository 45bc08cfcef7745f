//! The top level of the pipeline file, and its smaller sections.

use std::collections::BTreeMap;

use oms_core::time_zone::COMMON;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value as Json;

use super::mail::MailSection;
use super::sections::{RatesSection, TableSection};
use super::services::ServiceSection;
use super::settings::SettingSection;
use super::step::StepSection;
use super::webhooks::{AcceptSection, VerifySection};

/// A pipeline: a graph of typed steps that describes what happens to an order.
// Only the schema of this type is used. The sections are read one by one, so that a fault in one
// section does not hide faults in others.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields, title = "oms pipeline")]
#[expect(dead_code, reason = "the fields exist for the generated schema")]
pub(super) struct PipelineFile {
    /// The version of the file format. Always 1.
    #[schemars(extend("const" = 1))]
    oms: u32,
    /// The name of the pipeline, and by default of its state directory. Together with an order's
    /// key, it identifies a run.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9-]{0,62}$"))]
    name: String,
    /// A description of the pipeline for its readers.
    description: Option<String>,
    /// The time zone that determines the date of a timestamp: in `date(t)`, in `{{date t}}` in
    /// e-mails, and for the rates of `money.convert`. A name in the IANA time zone database, such
    /// as `Europe/Berlin`.
    #[schemars(extend("default" = "UTC", "examples" = COMMON))]
    time_zone: Option<String>,
    /// Values that differ between environments, by name. Expressions in steps, `mail` and `services` use
    /// them as `settings.<name>`. A run keeps the values with which it started.
    #[serde(default)]
    settings: BTreeMap<String, SettingSection>,
    /// HTTP services that `http.request` calls, by name. The process reads them when it starts, and
    /// runs of earlier versions of the pipeline use them as well.
    #[serde(default)]
    services: BTreeMap<String, ServiceSection>,
    /// The schema and the key of an order.
    order: OrderSection,
    /// The intake of orders over HTTP.
    intake: Option<IntakeSection>,
    /// Rate tables for `money.convert`, by name.
    #[serde(default)]
    rates: BTreeMap<String, RatesSection>,
    /// Tables, by name, with their columns and keys.
    #[serde(default)]
    tables: BTreeMap<String, TableSection>,
    /// The sender of e-mails, and the folder of their templates.
    mail: Option<MailSection>,
    /// The steps, by id. A step runs after the steps that it needs. Independent steps run
    /// concurrently.
    steps: BTreeMap<String, StepSection>,
    /// The AWS Lambda functions, by name, each with the steps that it runs. By default, each branch
    /// has its own function.
    handlers: Option<Handlers>,
}

/// The steps of each handler, by the handler's name.
pub type Handlers = BTreeMap<String, Vec<String>>;

/// The schema and the key of an order.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OrderSection {
    /// The JSON Schema (2020-12) of the order: the path of a file, or the schema itself.
    pub schema: SchemaSource,
    /// An expression that identifies an order, such as `${{ order.order_id }}`. There is exactly
    /// one run for each key.
    pub key: String,
    /// Files with sample orders. `*` matches any characters in the last part of the path.
    #[serde(default)]
    pub samples: Vec<String>,
    /// The maximum size of an order in bytes.
    #[serde(default = "body_bytes_default")]
    #[schemars(range(min = 1, max = 16_777_216))]
    pub max_bytes: u32,
    /// JSON pointers to members that do not make it another order, such as `/updated_at`. `*` stands
    /// for every element of a list, as in `/line_items/*/fulfillment_status`. An order that differs
    /// from an accepted order with the same key only in these members is a duplicate.
    #[serde(default)]
    #[schemars(length(max = 100))]
    pub ignore: Vec<String>,
}

/// The default maximum size of an order in bytes.
const fn body_bytes_default() -> u32 {
    256 * 1024
}

/// A JSON Schema, inline or in a file.
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
            "description": "The JSON Schema (2020-12) of the order: the path of a file, or the schema itself.",
            "type": ["string", "object"],
        })
    }
}

/// The intake of orders over HTTP.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IntakeSection {
    /// The path for orders. With `{key}` as its last part, as in `/order/{key}`, it is for `PUT`
    /// requests with the order's key, and `POST` requests go to the path without `{key}`. A path
    /// without `{key}`, as in `/shop/orders`, is only for `POST` requests, such as webhooks.
    #[schemars(regex(pattern = r"^((/[A-Za-z0-9._~-]+)+|(/[A-Za-z0-9._~-]+)*/\{key\})$"))]
    pub path: String,
    /// The component that accepts orders on AWS. It has no effect elsewhere.
    #[serde(default)]
    pub mode: IntakeMode,
    /// Verifies the signature of `POST` requests. It replaces the API key for them.
    pub verify: Option<VerifySection>,
    /// Accepts only `POST` requests with certain values in a header.
    pub accept: Option<AcceptSection>,
}

/// The end of a path that contains the order's key.
const KEY_PART: &str = "/{key}";

impl IntakeSection {
    /// Returns whether the last part of the path is the order's key.
    pub fn has_key(&self) -> bool {
        self.path.ends_with(KEY_PART)
    }

    /// Returns the path for `POST` requests: `/order` for `/order/{key}`.
    pub fn collection(&self) -> &str {
        match self.path.strip_suffix(KEY_PART).unwrap_or(&self.path) {
            "" => "/",
            collection => collection,
        }
    }
}

/// The component that accepts orders on AWS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum IntakeMode {
    /// A handler checks the order and replies, as `oms serve` does.
    #[default]
    Handler,
    /// API Gateway checks a part of the order schema and stores the order without a handler. An
    /// order that a handler later finds invalid becomes a dead letter. A duplicate of an order
    /// receives the status 409, just like a different order with the same key.
    Direct,
}

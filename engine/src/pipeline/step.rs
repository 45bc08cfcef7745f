//! A step as the file declares it.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value as Json;

/// One step: a kind, its settings, and when it runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSection {
    /// The step's kind, such as `table.insert`.
    pub uses: String,
    /// The kind's settings. `${{ }}` holds an expression (CEL).
    #[serde(default)]
    pub with: Json,
    /// Steps that must have run before. A reference to `steps.x` in an expression implies it.
    #[serde(default)]
    pub needs: Vec<NeedSection>,
    /// A condition; when it is false, the step is skipped and so is what needs it.
    pub when: Option<Json>,
    /// Runs the step for each element of a list.
    pub for_each: Option<ForEachSection>,
    /// How often and when a failed attempt is repeated, if trying again can help.
    pub retry: Option<RetrySection>,
    /// Seconds that one attempt may take.
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: Option<u32>,
    /// What runs when the step fails for good.
    pub on_failure: Option<Catch>,
}

/// A step that must have run before.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "NeedForm")]
pub struct NeedSection {
    /// The step's id.
    pub step: String,
    /// Ends of that step, besides success, with which this one runs all the same.
    pub allow: Vec<Allow>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NeedForm {
    Short(String),
    Long {
        step: String,
        #[serde(default)]
        allow: Vec<Allow>,
    },
}

impl From<NeedForm> for NeedSection {
    fn from(form: NeedForm) -> Self {
        match form {
            NeedForm::Short(step) => Self { step, allow: Vec::new() },
            NeedForm::Long { step, allow } => Self { step, allow },
        }
    }
}

impl JsonSchema for NeedSection {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Need".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let allow = generator.subschema_for::<Vec<Allow>>();
        json_schema!({
            "description": "A step's id, or a map that also says with which other ends of that step this one runs.",
            "type": ["string", "object"],
            "properties": {
                "step": { "type": "string", "description": "The step's id." },
                "allow": allow,
            },
            "required": ["step"],
            "additionalProperties": false,
        })
    }
}

/// An end of a needed step with which this one runs all the same. The needed step's output may then
/// be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Allow {
    /// It was skipped and nothing failed: its `when` was false, or it needs a step that was skipped
    /// for such a reason.
    Skipped,
    /// It failed for good, or it was skipped because another step failed.
    Failed,
}

/// Runs a step for each element of a list.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ForEachSection {
    /// The list, such as `${{ order.items }}`.
    pub items: Json,
    /// The name of the element in the step's expressions.
    #[serde(rename = "as", default = "item")]
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]*$"))]
    pub name: String,
    /// The name of the element's position in the step's expressions: 0 for the first element. Use
    /// it in a key so that equal elements write different rows.
    pub index: Option<String>,
    /// Elements that run at the same time at the most.
    #[serde(default = "concurrency_default")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_concurrency: u32,
}

fn item() -> String {
    "item".to_owned()
}

const fn concurrency_default() -> u32 {
    10
}

/// How often and when a failed attempt is repeated.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySection {
    /// Attempts in all.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// Milliseconds before the second attempt, unless `max_ms` is less.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub initial_ms: u64,
    /// Maximum number of milliseconds between two attempts. By default 30000, or `initial_ms` if
    /// that is more.
    #[schemars(
        with = "u64",
        skip_serializing_if = "Option::is_none",
        range(min = 0, max = 86_400_000)
    )]
    pub max_ms: Option<u64>,
    /// By how much the wait grows from attempt to attempt.
    #[schemars(range(min = 1, max = 100))]
    pub multiplier: f64,
    /// How the wait is spread, so that many runs do not try again at the same moment.
    pub jitter: Jitter,
}

impl Default for RetrySection {
    fn default() -> Self {
        Self { attempts: 3, initial_ms: 200, max_ms: None, multiplier: 2.0, jitter: Jitter::Full }
    }
}

/// The maximum wait in milliseconds where the file does not set one.
const MAX_MS_DEFAULT: u64 = 30_000;

impl RetrySection {
    /// Returns the maximum wait between two attempts in milliseconds.
    pub fn longest_ms(&self) -> u64 {
        self.max_ms.unwrap_or_else(|| self.initial_ms.max(MAX_MS_DEFAULT))
    }
}

/// How a wait is spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// Anything between nothing and the whole wait.
    Full,
    /// Exactly the wait.
    None,
}

/// What runs when a step fails for good.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catch {
    /// The id of a step that runs only then; it sees `error`.
    pub run: String,
}

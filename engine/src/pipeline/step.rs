//! The section of a step.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::Value as Json;

/// A step: its kind, its settings and the conditions under which it runs.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepSection {
    /// The step's kind, such as `table.insert`.
    pub uses: String,
    /// The kind's settings. `${{ }}` contains an expression (CEL).
    #[serde(default)]
    pub with: Json,
    /// Steps that must end before this step starts. A reference to `steps.x` in an expression
    /// implies this.
    #[serde(default)]
    pub needs: Vec<NeedSection>,
    /// A condition. If it is false, the step is skipped, and so are the steps that need it, unless
    /// they allow `skipped`.
    pub when: Option<Json>,
    /// Runs the step for each element of a list.
    pub for_each: Option<ForEachSection>,
    /// Number and timing of retries after a transient failure.
    pub retry: Option<RetrySection>,
    /// The timeout of an attempt in seconds.
    #[schemars(range(min = 1, max = 86400))]
    pub timeout_seconds: Option<u32>,
    /// The catch step that runs if this step fails permanently. Several steps can have the same
    /// catch step.
    pub on_failure: Option<Catch>,
}

/// A step that must end before this step starts.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "NeedForm")]
pub struct NeedSection {
    /// The step's id.
    pub step: String,
    /// Outcomes of that step, in addition to success, after which this step runs.
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
            "description": "A step's id, or a map that also lists outcomes other than success after which this step runs.",
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

/// An outcome of a needed step, other than success, after which this step runs. The output of the
/// needed step may then be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Allow {
    /// The step was skipped without a failure: its `when` was false, or it needs a step that was
    /// skipped for this reason.
    Skipped,
    /// The step failed permanently, or was skipped because another step failed.
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
    /// The name of the element's index in the step's expressions, counted from 0. Use the index in
    /// a key so that equal elements write different rows.
    pub index: Option<String>,
    /// Maximum number of elements that run concurrently.
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

/// Number and timing of retries after a transient failure.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RetrySection {
    /// Maximum number of attempts, including the first one.
    #[schemars(range(min = 1, max = 100))]
    pub attempts: u32,
    /// The wait before the second attempt in milliseconds, limited by `max_ms`.
    #[schemars(range(min = 0, max = 3_600_000))]
    pub initial_ms: u64,
    /// The maximum wait between two attempts in milliseconds. The default is 30000, or `initial_ms`
    /// if that is greater.
    #[schemars(
        with = "u64",
        skip_serializing_if = "Option::is_none",
        range(min = 0, max = 86_400_000)
    )]
    pub max_ms: Option<u64>,
    /// The factor by which the wait grows after each attempt.
    #[schemars(range(min = 1, max = 100))]
    pub multiplier: f64,
    /// The randomization of the wait, so that many runs do not retry at the same moment.
    pub jitter: Jitter,
    /// The causes after which the step is retried, such as `unavailable` or `timeout`. By default,
    /// it is retried after every transient failure.
    #[schemars(with = "Vec<String>", skip_serializing_if = "Option::is_none", length(min = 1))]
    pub on: Option<Vec<String>>,
}

impl Default for RetrySection {
    fn default() -> Self {
        Self {
            attempts: 3,
            initial_ms: 200,
            max_ms: None,
            multiplier: 2.0,
            jitter: Jitter::Full,
            on: None,
        }
    }
}

/// The default maximum wait in milliseconds.
const MAX_MS_DEFAULT: u64 = 30_000;

impl RetrySection {
    /// Returns the maximum wait between two attempts in milliseconds.
    pub fn longest_ms(&self) -> u64 {
        self.max_ms.unwrap_or_else(|| self.initial_ms.max(MAX_MS_DEFAULT))
    }
}

/// The randomization of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Jitter {
    /// A random time between zero and the full wait.
    Full,
    /// The full wait.
    None,
}

/// The step that runs if a step fails permanently.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Catch {
    /// The id of a catch step, which runs only in this case, once all steps that it catches have
    /// ended. Its expressions can use `error.step`, `error.cause` and `error.message`.
    pub run: String,
}

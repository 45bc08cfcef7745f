//! The trait that a kind implements, and the type-erased form that the engine uses.

use std::pin::Pin;
use std::sync::Arc;

use oms_core::diagnostic::{Finding, Place, Route, codes};
use oms_core::effects::StepError;
use oms_core::value::{Type, Typed, Value};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::context::{InputPlan, PlanContext, StepContext};
use super::effect::Effect;
use super::fault::{Fault, Faults};
use super::written_item::WrittenItem;

/// A step kind. The [module](super) explains how its parts work together.
pub trait Step: Sized + Send + Sync + 'static {
    /// The kind's name, `noun.verb`.
    const NAME: &'static str;
    /// The settings in the file under `with:`. Its doc comments become the documentation of the
    /// kind, so write them for the person who edits the file.
    type Config: DeserializeOwned + JsonSchema;
    /// The settings with all expressions evaluated.
    type Input: Typed + Send;
    /// The output of the step.
    type Output: Typed;

    /// The causes of transient failures that the kind itself reports, such as `throttled`. They are
    /// allowed in `retry.on`, beside those of the ports in the effects of the step.
    const TRANSIENT_CAUSES: &'static [&'static str] = &[];

    /// Turns settings that match their schema into a planned step. This function has no effects.
    ///
    /// # Errors
    /// Returns all faults in the settings.
    fn plan(config: Self::Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults>;

    /// Returns the row or the object that an attempt with this input writes, if any. It is a
    /// conflict if two steps or elements of a run write the same target. Only an upsert may replace
    /// a row that another step wrote.
    fn written_item(&self, _input: &Self::Input) -> Option<WrittenItem> {
        None
    }

    /// Runs an attempt. Writes through `cx.effects` are staged. The driver commits them together
    /// with the step's event.
    ///
    /// # Errors
    /// Returns what failed, and whether a retry can help.
    fn run(
        &self,
        cx: &StepContext<'_>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, StepError>> + Send;
}

/// A planned step.
pub struct Planned<S> {
    /// The step.
    pub step: S,
    /// The expressions of its input.
    pub input: InputPlan,
    /// The type of its output.
    pub output: Type,
    /// Its effects.
    pub effects: Vec<Effect>,
}

/// A planned step of any kind.
pub trait ErasedStep: Send + Sync {
    /// Returns the row or the object that an attempt with this input writes.
    fn written_item(&self, input: &Value) -> Option<WrittenItem>;

    /// Runs an attempt.
    fn run<'a>(
        &'a self,
        cx: &'a StepContext<'a>,
        input: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, StepError>> + Send + 'a>>;
}

impl<S: Step> ErasedStep for S {
    fn written_item(&self, input: &Value) -> Option<WrittenItem> {
        S::written_item(self, &S::Input::from_value(input)?)
    }

    fn run<'a>(
        &'a self,
        cx: &'a StepContext<'a>,
        input: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, StepError>> + Send + 'a>> {
        Box::pin(async move {
            let Some(input) = S::Input::from_value(&input) else {
                // The plan assigns a type to every input field, so this error occurs only if the
                // plan and the input type of a kind disagree.
                return Err(StepError::permanent(
                    oms_core::effects::cause::PLAN,
                    format!("the plan of `{}` does not match its input", S::NAME),
                ));
            };
            S::run(self, cx, input).await.map(S::Output::into_value)
        })
    }
}

/// A planned step with its type erased.
pub struct PlannedKind {
    /// The step.
    pub step: Arc<dyn ErasedStep>,
    /// The expressions of its input.
    pub input: InputPlan,
    /// The type of its output.
    pub output: Type,
    /// Its effects.
    pub effects: Vec<Effect>,
    /// The causes of transient failures that the kind itself reports.
    pub transient_causes: &'static [&'static str],
}

type Planner = fn(Json, &mut PlanContext<'_>) -> Result<PlannedKind, Faults>;

/// A type-erased kind, which consists of function pointers.
#[derive(Clone, Copy)]
pub struct StepKind {
    name: &'static str,
    config_schema: fn() -> Json,
    output_type: fn() -> Option<Type>,
    plan: Planner,
}

impl StepKind {
    /// Returns the type-erased form of a kind.
    pub const fn of<S: Step>() -> Self {
        Self {
            name: S::NAME,
            config_schema: || {
                let generator = SchemaSettings::draft2020_12().into_generator();
                generator.into_root_schema_for::<S::Config>().to_value()
            },
            output_type: S::Output::ty,
            plan: |config, cx| {
                let config = serde_path_to_error::deserialize(config).map_err(|error| {
                    let at = error.path().to_string();
                    let route = at
                        .split('.')
                        .filter(|part| *part != ".")
                        .fold(Route::root(), |route, part| route.key(part));
                    let message = error.into_inner().to_string();
                    vec![Fault::from(Finding::error(
                        codes::WRONG_SHAPE,
                        Place::value(route),
                        message,
                    ))]
                })?;
                S::plan(config, cx).map(|planned| PlannedKind {
                    step: Arc::new(planned.step),
                    input: planned.input,
                    output: planned.output,
                    effects: planned.effects,
                    transient_causes: S::TRANSIENT_CAUSES,
                })
            },
        }
    }

    /// Returns the name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the first paragraph of the kind's documentation.
    pub fn summary(&self) -> String {
        let schema = self.config_schema();
        let text = schema.get("description").and_then(Json::as_str).unwrap_or_default();
        text.split("\n\n").next().unwrap_or_default().replace('\n', " ")
    }

    /// Returns the JSON Schema of the settings.
    pub fn config_schema(&self) -> Json {
        (self.config_schema)()
    }

    /// Returns the type of the output, or `None` if it depends on the settings.
    pub fn output_type(&self) -> Option<Type> {
        (self.output_type)()
    }

    /// Plans a step of this kind.
    ///
    /// # Errors
    /// Returns all faults in the settings.
    pub fn plan(&self, config: Json, cx: &mut PlanContext<'_>) -> Result<PlannedKind, Faults> {
        (self.plan)(config, cx)
    }
}

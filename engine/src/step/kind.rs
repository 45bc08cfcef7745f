//! The trait that a kind implements, and the erased form that the engine holds.

use std::pin::Pin;
use std::sync::Arc;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::context::{InputPlan, PlanContext, StepContext};
use super::effect::Effect;
use super::fault::{Fault, Faults};
use super::target::Target;
use crate::diagnostic::{Finding, Place, Route, codes};
use crate::effects::StepError;
use crate::value::{Type, Typed, Value};

/// A step kind. See the [module](super) for how the parts play together.
pub trait Step: Sized + Send + Sync + 'static {
    /// The kind's name, `noun.verb`.
    const NAME: &'static str;
    /// What the file says under `with:`. Its documentation is the kind's: write it for the person
    /// who edits the file.
    type Config: DeserializeOwned + JsonSchema;
    /// The configuration with every expression evaluated.
    type Input: Typed + Send;
    /// What the step gives.
    type Output: Typed;

    /// Turns a configuration that fits its schema into a ready step. Pure.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    fn plan(config: Self::Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults>;

    /// Returns the row or the object that an attempt with this input writes, if it writes one. Two
    /// steps or elements of one run that write the same one are a conflict; only an upsert may
    /// replace what another step wrote.
    fn target(&self, _input: &Self::Input) -> Option<Target> {
        None
    }

    /// Does it. Writes through `cx.effects` are staged; the driver commits them together with the
    /// step's event.
    ///
    /// # Errors
    /// What went wrong in the world, and whether trying again can help.
    fn run(
        &self,
        cx: &StepContext<'_>,
        input: Self::Input,
    ) -> impl Future<Output = Result<Self::Output, StepError>> + Send;
}

/// A step that is ready.
pub struct Planned<S> {
    /// The step.
    pub step: S,
    /// How its input is computed.
    pub input: InputPlan,
    /// The type of its output.
    pub output: Type,
    /// What it will touch.
    pub effects: Vec<Effect>,
}

/// A step that is ready, whatever its kind.
pub trait ErasedStep: Send + Sync {
    /// Returns what an attempt with this input writes.
    fn target(&self, input: &Value) -> Option<Target>;

    /// Runs an attempt.
    fn run<'a>(
        &'a self,
        cx: &'a StepContext<'a>,
        input: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, StepError>> + Send + 'a>>;
}

impl<S: Step> ErasedStep for S {
    fn target(&self, input: &Value) -> Option<Target> {
        S::target(self, &S::Input::from_value(input)?)
    }

    fn run<'a>(
        &'a self,
        cx: &'a StepContext<'a>,
        input: Value,
    ) -> Pin<Box<dyn Future<Output = Result<Value, StepError>> + Send + 'a>> {
        Box::pin(async move {
            let Some(input) = S::Input::from_value(&input) else {
                // The plan gives every input field its type, so only a kind whose plan and input
                // disagree comes here.
                return Err(StepError::permanent(
                    crate::effects::cause::PLAN,
                    format!("the plan of `{}` does not fit its input", S::NAME),
                ));
            };
            S::run(self, cx, input).await.map(S::Output::into_value)
        })
    }
}

/// A planned step whose kind is forgotten.
pub struct PlannedKind {
    /// The step.
    pub step: Arc<dyn ErasedStep>,
    /// How its input is computed.
    pub input: InputPlan,
    /// The type of its output.
    pub output: Type,
    /// What it will touch.
    pub effects: Vec<Effect>,
}

type Planner = fn(Json, &mut PlanContext<'_>) -> Result<PlannedKind, Faults>;

/// A kind as the engine holds it: a few function pointers.
#[derive(Clone, Copy)]
pub struct StepKind {
    name: &'static str,
    config_schema: fn() -> Json,
    output_type: fn() -> Option<Type>,
    plan: Planner,
}

impl StepKind {
    /// Returns the erased form of a kind.
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
                })
            },
        }
    }

    /// Returns the name.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Returns what the kind does: the first sentence of its settings' documentation.
    pub fn summary(&self) -> String {
        let schema = self.config_schema();
        let text = schema.get("description").and_then(Json::as_str).unwrap_or_default();
        text.split("\n\n").next().unwrap_or_default().replace('\n', " ")
    }

    /// Returns the JSON Schema of the settings.
    pub fn config_schema(&self) -> Json {
        (self.config_schema)()
    }

    /// Returns the type of the output; nothing where it depends on the settings.
    pub fn output_type(&self) -> Option<Type> {
        (self.output_type)()
    }

    /// Plans a step of this kind.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn plan(&self, config: Json, cx: &mut PlanContext<'_>) -> Result<PlannedKind, Faults> {
        (self.plan)(config, cx)
    }
}

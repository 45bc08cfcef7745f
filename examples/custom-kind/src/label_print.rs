//! `label.print`: prints a label on paper. It is not safe to repeat, because each attempt prints
//! another label. A pipeline with `retry` on this step is rejected (OMS0414).

use std::sync::Arc;

use oms_engine::effects::StepError;
use oms_engine::record;
use oms_engine::step::{
    Effect, Expr, Faults, PlanContext, Planned, Port, Safety, Step, StepContext, Verb,
};
use oms_engine::value::{NoOutput, Type, Typed};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::warehouse::Warehouse;

/// Prints a label in a warehouse.
///
/// The printer cannot detect a label that it has already printed, so `retry` is not allowed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The folder of the warehouse, relative to the working directory.
    #[schemars(length(min = 1))]
    warehouse: String,
    /// The text of the label.
    text: Expr<String>,
}

record! {
    /// The evaluated settings.
    pub(crate) struct Input {
        text: Arc<str>,
    }
}

/// The planned step.
pub(crate) struct LabelPrint {
    warehouse: Warehouse,
}

impl Step for LabelPrint {
    const NAME: &'static str = "label.print";
    type Config = Config;
    type Input = Input;
    type Output = NoOutput;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        cx.expr("text", &config.text);
        Ok(Planned {
            input: cx.finish()?,
            output: NoOutput::ty().unwrap_or_else(Type::text),
            effects: vec![Effect {
                port: Port::Custom,
                verb: Verb::Call,
                resource: Arc::from(config.warehouse.as_str()),
                safety: Safety::Unsafe,
            }],
            step: Self { warehouse: Warehouse::at(&config.warehouse) },
        })
    }

    async fn run(&self, _: &StepContext<'_>, input: Input) -> Result<NoOutput, StepError> {
        self.warehouse.print(&input.text)?;
        Ok(NoOutput)
    }
}

//! `run.fail`: fails on purpose, with a cause of the pipeline. It has no effects.

use std::sync::Arc;

use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::effects::StepError;
use oms_engine::record;
use oms_engine::step::{Expr, Faults, PlanContext, Planned, Step, StepContext};
use oms_engine::value::{NoOutput, Type, Typed as _};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::own_cause;

/// Fails on purpose, such as for an order above a limit. Use it with `when`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The cause of the failure, such as `over_limit`. `oms runs list --cause` finds the runs with
    /// this cause.
    #[schemars(regex(pattern = r"^[a-z][a-z0-9_]{0,62}$"))]
    cause: String,
    /// A message that explains the failure, without personal data.
    message: Expr<String>,
}

record! {
    /// The evaluated settings.
    pub struct Input {
        message: Arc<str>,
    }
}

/// The planned step.
pub struct RunFail {
    cause: String,
}

impl Step for RunFail {
    const NAME: &'static str = "run.fail";
    type Config = Config;
    type Input = Input;
    type Output = NoOutput;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let at = |key: &str| Place::value(Route::root().key(key));
        if let Some((message, help)) = own_cause::fault(&config.cause) {
            let finding = Finding::error(codes::VALUE_NOT_ALLOWED, at("cause"), message);
            cx.fault(finding.help(help.to_owned()));
        }
        let message = cx.expr("message", &config.message);
        if message.is_some_and(|message| message.ty().contains_pii()) {
            let message = "the message contains personal data, but messages are never masked";
            let finding = Finding::error(codes::VALUE_NOT_ALLOWED, at("message"), message);
            cx.fault(finding.help("use values that are not marked with `x-pii`".to_owned()));
        }
        let input = cx.finish()?;
        let output = NoOutput::ty().unwrap_or_else(Type::text);
        Ok(Planned { output, input, effects: Vec::new(), step: Self { cause: config.cause } })
    }

    async fn run(&self, _: &StepContext<'_>, input: Input) -> Result<NoOutput, StepError> {
        Err(StepError::permanent(&self.cause, &*input.message))
    }
}

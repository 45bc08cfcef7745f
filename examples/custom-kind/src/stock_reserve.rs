//! `stock.reserve`: reserves pieces of an article in a warehouse. It is safe to repeat, since the warehouse knows each
//! reservation by its idempotency key.

use std::sync::Arc;

use oms_engine::effects::{StepError, cause};
use oms_engine::record;
use oms_engine::step::{
    Effect, Expr, Faults, PlanContext, Planned, Port, Safety, Step, StepContext, Verb,
};
use oms_engine::value::{Type, Typed};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::warehouse::Warehouse;

/// Reserves pieces of an article in a warehouse, once for each order.
///
/// While the warehouse is closed the step is tried again, as its `retry` says.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The warehouse's folder, relative to where the program runs.
    #[schemars(length(min = 1))]
    warehouse: String,
    /// The article.
    article: Expr<String>,
    /// How many pieces; at least one.
    pieces: Expr<i64>,
    /// How fast they are fetched.
    #[serde(default)]
    priority: Priority,
}

/// How fast pieces are fetched.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Priority {
    /// With the next round.
    #[default]
    Standard,
    /// At once.
    Express,
}

impl Priority {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Standard => "standard",
            Self::Express => "express",
        }
    }
}

record! {
    /// The evaluated settings.
    pub(crate) struct Input {
        article: Arc<str>,
        pieces: i64,
    }
}

record! {
    /// What the warehouse says.
    pub(crate) struct Output {
        /// The reservation's number.
        pub(crate) number: Arc<str>,
        /// What is reserved, in the warehouse's words.
        pub(crate) reserved: Arc<str>,
    }
}

/// The planned step.
pub(crate) struct StockReserve {
    warehouse: Warehouse,
    priority: Priority,
}

impl Step for StockReserve {
    const NAME: &'static str = "stock.reserve";
    type Config = Config;
    type Input = Input;
    type Output = Output;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        cx.expr("article", &config.article);
        cx.expr("pieces", &config.pieces);
        Ok(Planned {
            input: cx.finish()?,
            output: Output::ty().unwrap_or_else(Type::text),
            effects: vec![Effect {
                port: Port::Custom,
                verb: Verb::Call,
                resource: Arc::from(config.warehouse.as_str()),
                safety: Safety::Idempotent,
            }],
            step: Self { warehouse: Warehouse::at(&config.warehouse), priority: config.priority },
        })
    }

    async fn run(&self, cx: &StepContext<'_>, input: Input) -> Result<Output, StepError> {
        let Input { article, pieces } = input;
        if pieces < 1 {
            // Trying again cannot help: the order itself is at fault.
            return Err(StepError::permanent(cause::OUT_OF_RANGE, "fewer than one piece"));
        }
        let what = format!("{pieces} of {article}, {}\n", self.priority.as_str());
        // The same on every attempt and in every process, so that no crash makes two of one reservation.
        let number = Arc::clone(&cx.call.key);
        let reserved = self.warehouse.reserve(&number, &what)?;
        Ok(Output { number, reserved: Arc::from(reserved.trim_end()) })
    }
}

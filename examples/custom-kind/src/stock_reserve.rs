//! `stock.reserve`: reserves pieces of an article in a warehouse. It is safe to repeat, because the
//! warehouse identifies each reservation by its idempotency key.

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
/// If the warehouse is closed, the step fails and is retried according to its `retry`.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The folder of the warehouse, relative to the working directory.
    #[schemars(length(min = 1))]
    warehouse: String,
    /// The article.
    article: Expr<String>,
    /// The number of pieces, at least 1.
    pieces: Expr<i64>,
    /// The priority of the reservation.
    #[serde(default)]
    priority: Priority,
}

/// The priority of a reservation.
#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Priority {
    /// The pieces are picked in the next round.
    #[default]
    Standard,
    /// The pieces are picked immediately.
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
    /// The reservation.
    pub(crate) struct Output {
        /// The number of the reservation.
        pub(crate) number: Arc<str>,
        /// The warehouse's description of the reservation.
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
            // A retry cannot help, because the order itself is invalid.
            return Err(StepError::permanent(cause::OUT_OF_RANGE, "fewer than one piece"));
        }
        let what = format!("{pieces} of {article}, {}\n", self.priority.as_str());
        // The key is the same for every attempt and in every process, so a crash cannot cause a
        // second reservation.
        let number = Arc::clone(&cx.call.key);
        let reserved = self.warehouse.reserve(&number, &what)?;
        Ok(Output { number, reserved: Arc::from(reserved.trim_end()) })
    }
}

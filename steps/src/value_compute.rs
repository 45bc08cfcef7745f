//! `value.compute`: computes named values. It has no effects.

use oms_engine::diagnostic::Route;
use oms_engine::effects::StepError;
use oms_engine::step::{Faults, PlanContext, Planned, Step, StepContext};
use oms_engine::value::Value;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

/// Computes named values that other steps can refer to.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The values by name, such as
    /// `total: "${{ sum(order.items.map(i, i.quantity * i.unit_price)) }}"`.
    #[schemars(extend("minProperties" = 1))]
    values: Map<String, Json>,
}

/// The planned step.
pub struct ValueCompute;

impl Step for ValueCompute {
    const NAME: &'static str = "value.compute";
    type Config = Config;
    type Input = Value;
    type Output = Value;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let route = Route::root().key("values");
        for (name, raw) in &config.values {
            cx.value(name, &route.key(name), raw, None);
        }
        let input = cx.finish()?;
        Ok(Planned { output: input.ty(), input, effects: Vec::new(), step: Self })
    }

    async fn run(&self, _: &StepContext<'_>, input: Value) -> Result<Value, StepError> {
        Ok(input)
    }
}

//! `topic.publish`: announces the order and divides the graph into independent branches.

use std::sync::Arc;

use oms_engine::effects::{Message, StepError};
use oms_engine::step::{
    Effect, Faults, PlanContext, Planned, Port, Safety, Step, StepContext, Verb,
};
use oms_engine::value::{NoOutput, Type, Typed};
use schemars::JsonSchema;
use serde::Deserialize;

/// Announces the order on an SNS topic, or locally within the process. The announcement is
/// delivered at least once.
///
/// The branches after this step succeed or fail independently. The message identifies the order,
/// but does not contain it.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the topic.
    #[schemars(regex(pattern = r"^[A-Za-z0-9_-]{1,200}$"))]
    topic: String,
}

/// The planned step.
pub struct TopicPublish {
    topic: Arc<str>,
}

impl Step for TopicPublish {
    const NAME: &'static str = "topic.publish";
    type Config = Config;
    type Input = NoOutput;
    type Output = NoOutput;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let topic: Arc<str> = Arc::from(config.topic);
        Ok(Planned {
            input: cx.finish()?,
            output: NoOutput::ty().unwrap_or_else(Type::text),
            effects: vec![Effect {
                port: Port::Topics,
                verb: Verb::Publish,
                resource: Arc::clone(&topic),
                safety: Safety::AtLeastOnce,
            }],
            step: Self { topic },
        })
    }

    async fn run(&self, cx: &StepContext<'_>, _: NoOutput) -> Result<NoOutput, StepError> {
        cx.effects.topics().publish(cx.call, Message { topic: Arc::clone(&self.topic) }).await?;
        Ok(NoOutput)
    }
}

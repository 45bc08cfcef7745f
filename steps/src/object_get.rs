//! `object.get`: reads an object as text.

use std::sync::Arc;

use oms_engine::effects::{StepError, cause};
use oms_engine::record;
use oms_engine::step::{
    Effect, Expr, Faults, PlanContext, Planned, Port, Safety, Step, StepContext, Verb,
};
use oms_engine::value::{Type, Typed, Value};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::object_key;
use crate::table_get::Missing;

/// Reads an object from a bucket as text.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the bucket.
    bucket: String,
    /// The key of the object.
    key: Expr<String>,
    /// What to do if the object does not exist. `fail` (default) parks the run. With `null`, the
    /// output is null.
    #[serde(default)]
    missing: Missing,
}

record! {
    /// The evaluated settings.
    pub struct Input {
        key: Arc<str>,
    }
}

record! {
    /// The object.
    pub struct Output {
        /// The content of the object (UTF-8).
        pub text: Arc<str>,
    }
}

/// The planned step.
pub struct ObjectGet {
    bucket: Arc<str>,
    missing: Missing,
}

impl Step for ObjectGet {
    const NAME: &'static str = "object.get";
    type Config = Config;
    type Input = Input;
    type Output = Value;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        if let Some(key) = cx.expr("key", &config.key) {
            object_key::check(&key, &config.key, cx);
        }
        let bucket: Arc<str> = Arc::from(config.bucket);
        let output = Output::ty().unwrap_or_else(Type::text);
        Ok(Planned {
            input: cx.finish()?,
            output: config.missing.apply(output),
            effects: vec![Effect {
                port: Port::Objects,
                verb: Verb::Get,
                resource: Arc::clone(&bucket),
                safety: Safety::Read,
            }],
            step: Self { bucket, missing: config.missing },
        })
    }

    async fn run(&self, cx: &StepContext<'_>, input: Input) -> Result<Value, StepError> {
        match cx.effects.objects().get(cx.call, &self.bucket, &input.key).await? {
            Some(body) => match std::str::from_utf8(&body) {
                Ok(text) => Ok(Output { text: Arc::from(text) }.into_value()),
                Err(error) => Err(StepError::permanent(
                    cause::OUT_OF_RANGE,
                    format!("the object in `{}` is not UTF-8 text", self.bucket),
                )
                .caused_by(error)),
            },
            None => self.missing.result(cause::NO_OBJECT, || {
                format!("the object does not exist in `{}`", self.bucket)
            }),
        }
    }
}

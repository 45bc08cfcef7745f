//! `object.put`: stores an object. Storing the same content again changes nothing.

use std::sync::Arc;

use oms_engine::diagnostic::Route;
use oms_engine::effects::{Put, StepError, cause};
use oms_engine::record;
use oms_engine::step::{
    Effect, Expr, Faults, PlanContext, Planned, Port, Safety, Step, StepContext, Verb, WrittenItem,
};
use oms_engine::value::{Type, Value, write_json};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{object_key, unique};

/// Stores an object in an S3 bucket, or locally in the database of the state.
///
/// Storing the same content again changes nothing. It is a conflict if another run stored different
/// content under the same key, or if another step or element of the same run stored an object
/// there. A whole order (`body: ${{ order }}`) is stored byte for byte as it was received.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the bucket.
    #[schemars(regex(pattern = r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"))]
    bucket: String,
    /// The key of the object, such as `${{ run.key }}.json`. It must be unique for each order.
    key: Expr<String>,
    /// The content. Text is stored as it is, and any other value as JSON.
    body: Expr<Value>,
}

record! {
    /// The evaluated settings.
    pub struct Input {
        key: Arc<str>,
        body: Value,
    }
}

record! {
    /// The location of the object.
    pub struct Output {
        /// The name of the bucket.
        pub bucket: Arc<str>,
        /// The key of the object.
        pub key: Arc<str>,
    }
}

/// The planned step.
pub struct ObjectPut {
    bucket: Arc<str>,
    whole_order: bool,
}

impl Step for ObjectPut {
    const NAME: &'static str = "object.put";
    type Config = Config;
    type Input = Input;
    type Output = Output;

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let key = cx.expr("key", &config.key);
        let body = cx.expr("body", &config.body);
        if let Some(key) = &key
            && object_key::check(key, &config.key, cx)
        {
            unique::check("the object's key", Route::root().key("key"), &[key], "", cx);
        }
        let bucket: Arc<str> = Arc::from(config.bucket);
        let pii = key.is_some_and(|key| key.ty().pii);
        Ok(Planned {
            input: cx.finish()?,
            output: Type::record([("bucket", Type::text()), ("key", Type::text().with_pii(pii))]),
            effects: vec![Effect {
                port: Port::Objects,
                verb: Verb::Put,
                resource: Arc::clone(&bucket),
                safety: Safety::Idempotent,
            }],
            step: Self { bucket, whole_order: body.is_some_and(|body| body.is_whole_order()) },
        })
    }

    fn written_item(&self, input: &Input) -> Option<WrittenItem> {
        Some(WrittenItem::object(&self.bucket, &input.key))
    }

    async fn run(&self, cx: &StepContext<'_>, input: Input) -> Result<Output, StepError> {
        if !object_key::is_valid(&input.key) {
            let message = "an object's key must have 1 to 1024 bytes and no control characters";
            return Err(StepError::permanent(cause::OUT_OF_RANGE, message));
        }
        let (body, content_type): (Arc<[u8]>, _) = match &input.body {
            _ if self.whole_order => (Arc::clone(&cx.call.run.body), "application/json"),
            Value::Text(text) => (Arc::from(text.as_bytes()), "text/plain; charset=utf-8"),
            value => (Arc::from(write_json(value).into_bytes()), "application/json"),
        };
        let bucket = Arc::clone(&self.bucket);
        let object = Put { bucket, key: Arc::clone(&input.key), body, content_type };
        cx.effects.objects().put(cx.call, object).await?;
        Ok(Output { bucket: Arc::clone(&self.bucket), key: input.key })
    }
}

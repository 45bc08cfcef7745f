//! `http.request`: calls a service and reads its answer.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::effects::{Answer, Method, ServiceRequest, StepError, cause};
use oms_engine::pipeline::SchemaSource;
use oms_engine::record;
use oms_engine::step::{
    DataSchema, Effect, Expr, Faults, OnUnknown, PlanContext, Planned, Port, Safety, Service, Step,
    StepContext, Verb,
};
use oms_engine::value::{Record, RecordType, Shape, Type, Value};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value as Json};

use crate::http_body::{self, Body};
use crate::http_outcome::{Outcomes, Statuses};
use crate::http_target::{self, Target};

/// Calls an HTTP service of the section `services` and reads its answer.
///
/// A request is never sent before the order is on disk, and its answer is on disk before the next
/// step starts. A request whose outcome is unknown is repeated only if that is safe: `GET`, `PUT`
/// and similar methods, and `POST` and `PATCH` to a service with `idempotency`. Otherwise the run is
/// held until a person decides. Redirects are not followed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name of the service.
    service: String,
    /// The method.
    method: Method,
    /// The path, which is appended to the base URL of the service, such as
    /// `/v1/orders/${{ order.id }}`. Values of expressions are percent-encoded. A segment of the
    /// path must not be empty, `.` or `..`.
    path: Expr<String>,
    /// The parameters of the query. A null value is left out, and a list repeats the parameter.
    #[serde(default)]
    query: Map<String, Json>,
    /// Headers in addition to those of the service.
    #[serde(default)]
    headers: BTreeMap<String, Expr<String>>,
    /// A JSON body. Decimals are written as text, such as `"12.50"`.
    json: Option<Json>,
    /// The fields of a form body (`application/x-www-form-urlencoded`). A null value is left out,
    /// and a list repeats the field.
    form: Option<Map<String, Json>>,
    /// A text body. It requires `content_type`.
    text: Option<Expr<String>>,
    /// The media type of a text body, such as `text/csv`.
    content_type: Option<String>,
    /// How to read the body of a 2xx answer. Without it, only `status` is available.
    answer: Option<AnswerConfig>,
    /// Statuses with a cause of their own, such as `"402": card_declined`. They fail the step
    /// without a retry.
    #[serde(default)]
    refusals: BTreeMap<String, String>,
    /// Statuses, in addition to 425 and 429, after which the request is retried.
    #[serde(default)]
    transient: Vec<u16>,
    /// What to do with a request that is not safe to repeat if its outcome is unknown. `hold`
    /// (default) parks the run until a person decides (`oms runs retry --held`). `resend` sends the
    /// request again.
    on_unknown: Option<OnUnknown>,
}

/// How to read an answer.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct AnswerConfig {
    /// The JSON Schema (2020-12) of the body: the path of a file, or the schema itself. An answer
    /// that does not match parks the run with the cause `answer`. A retry reads the stored answer
    /// with the current schema and does not call the service again.
    schema: SchemaSource,
    /// Maximum size of the body in bytes.
    #[serde(default = "answer_bytes_default")]
    #[schemars(range(min = 1, max = 16_777_216))]
    max_bytes: u32,
}

/// The default maximum size of an answer in bytes.
const fn answer_bytes_default() -> u32 {
    1024 * 1024
}

record! {
    /// The evaluated settings.
    pub struct Input {
        path: Arc<str>,
        query: Value,
        headers: Value,
        body: Value,
    }
}

/// The planned step.
pub struct HttpRequest {
    service: Arc<str>,
    method: Method,
    target: Target,
    body: Body,
    /// Whether requests have an idempotency key.
    has_key: bool,
    answer: Option<(Arc<DataSchema>, usize)>,
    output: Arc<RecordType>,
    outcomes: Outcomes,
}

impl Step for HttpRequest {
    const NAME: &'static str = "http.request";
    type Config = Config;
    type Input = Input;
    type Output = Value;

    const TRANSIENT_CAUSES: &'static [&'static str] = &[cause::THROTTLED, cause::TIMEOUT];

    fn plan(config: Config, cx: &mut PlanContext<'_>) -> Result<Planned<Self>, Faults> {
        let service = cx.service("service", &config.service);
        let method = config.method;
        let target = http_target::compile(&config.path, &config.query, cx);
        http_target::compile_headers(&config.headers, service.as_deref(), cx);
        let body = http_body::compile(&config, method, cx);
        let answer = config.answer.as_ref().and_then(|answer| {
            if method == Method::Head {
                let message = "an answer to `HEAD` has no body";
                let place = Place::key(Route::root().key("answer"));
                let finding = Finding::error(codes::VALUE_NOT_ALLOWED, place, message);
                cx.fault(finding.help("remove `answer`, or use `GET`".to_owned()));
                return None;
            }
            let route = Route::root().key("answer").key("schema");
            let root = format!("steps.{}.body", cx.step_id());
            let schema = cx.schema(&route, &answer.schema, &root)?;
            Some((schema, usize::try_from(answer.max_bytes).unwrap_or(usize::MAX)))
        });
        let safety = service.as_deref().map(|service| safety(method, service, &config));
        check_on_unknown(&config, safety, cx);
        let may_repeat = safety.is_none_or(|safety| !matches!(safety, Safety::Claimed(_)));
        let statuses = Statuses::check(&config.refusals, &config.transient, may_repeat, cx);
        let output = output(answer.as_ref().map(|(schema, _)| schema.ty()));
        let input = cx.finish()?;
        let (Some(service), Some(safety), Some(statuses)) = (service, safety, statuses) else {
            return Err(Vec::new());
        };
        let outcomes = Outcomes { service: Arc::clone(&service.name), safety, statuses };
        Ok(Planned {
            input,
            output: Type::of(Shape::Record(Arc::clone(&output))),
            effects: vec![Effect {
                port: Port::Services,
                verb: Verb::Call,
                resource: Arc::clone(&service.name),
                safety,
            }],
            step: Self {
                service: Arc::clone(&service.name),
                method,
                target,
                body,
                has_key: matches!(safety, Safety::Keyed { .. }),
                answer,
                output,
                outcomes,
            },
        })
    }

    async fn run(&self, cx: &StepContext<'_>, input: Input) -> Result<Value, StepError> {
        let answer = match cx.call.answer.get() {
            Some(stored) => stored,
            None => self.call(cx, &input).await?,
        };
        self.outcomes.check(&answer)?;
        let status = Value::Int(answer.status.into());
        let fields = match &self.answer {
            None => vec![status],
            // In the order of the field names: body, status.
            Some((schema, _)) => vec![self.outcomes.read(schema, &answer)?, status],
        };
        Ok(Value::Record(Arc::new(Record::new(Arc::clone(&self.output), fields))))
    }
}

impl HttpRequest {
    /// Sends the request. An answer with a body is stored, so that it becomes durable even if it
    /// does not match the schema.
    async fn call(&self, cx: &StepContext<'_>, input: &Input) -> Result<Arc<Answer>, StepError> {
        let request = ServiceRequest {
            service: Arc::clone(&self.service),
            method: self.method,
            target: self.target.write(&input.path, &input.query)?,
            headers: http_target::headers(&input.headers)?,
            body: self.body.write(&input.body),
            key: self.has_key.then(|| Arc::clone(&cx.call.request_key)),
            answer_max: self.answer.as_ref().map_or(0, |(_, max)| *max),
        };
        let answer = cx.effects.services().call(cx.call, request).await;
        let answer = Arc::new(answer.map_err(|error| self.outcomes.failure(error))?);
        if self.answer.is_some() && (200..300).contains(&answer.status) {
            cx.call.answer.set(Arc::clone(&answer));
        }
        Ok(answer)
    }
}

impl Config {
    /// Returns the settings of the body.
    pub(crate) fn body(&self) -> http_body::Config<'_> {
        http_body::Config {
            json: self.json.as_ref(),
            form: self.form.as_ref(),
            text: self.text.as_ref(),
            content_type: self.content_type.as_deref(),
        }
    }
}

/// Returns the consequence of repeating a request.
fn safety(method: Method, service: &Service, config: &Config) -> Safety {
    match &service.idempotency {
        _ if method.is_safe() => Safety::Read,
        _ if method.is_idempotent() => Safety::Idempotent,
        Some(idempotency) => Safety::Keyed { keeps_seconds: idempotency.keeps.as_secs() },
        None => Safety::Claimed(config.on_unknown.unwrap_or_default()),
    }
}

/// Reports `on_unknown` where it has no effect.
fn check_on_unknown(config: &Config, safety: Option<Safety>, cx: &mut PlanContext<'_>) {
    let has_effect = safety.is_none_or(|safety| matches!(safety, Safety::Claimed(_)));
    if config.on_unknown.is_none() || has_effect {
        return;
    }
    let message = "`on_unknown` has no effect, because this request is safe to repeat";
    let place = Place::key(Route::root().key("on_unknown"));
    let finding = Finding::error(codes::VALUE_NOT_ALLOWED, place, message);
    cx.fault(finding.help("remove `on_unknown`".to_owned()));
}

/// Returns the type of the output.
fn output(body: Option<&Type>) -> Arc<RecordType> {
    let status = (Arc::from("status"), Type::of(Shape::Int));
    let body = body.map(|body| (Arc::from("body"), body.clone()));
    Arc::new(RecordType::new(body.into_iter().chain([status])))
}

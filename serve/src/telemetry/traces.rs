//! Traces over OTLP: one trace per order, with a span for each attempt of a step. Spans are created
//! from journal events that are on disk.
//!
//! The id of a trace is the id of its run. The standard environment variables set the destination
//! (OpenTelemetry specification, "OpenTelemetry Protocol Exporter" and "General SDK
//! Configuration"). Spans contain names, times and causes. The key is the only data of the order in
//! them.

use std::time::{Duration, SystemTime};

use hyper_rustls::HttpsConnectorBuilder;
use oms_engine::effects::{RunInfo, span_id, span_id_of};
use oms_engine::run::{Event, RunState};
use oms_runtime::Listener;
use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, Key, KeyValue};
use opentelemetry_http::hyper::HyperClient;
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter as _, SpanLinks};
use tokio::sync::mpsc;

/// Maximum number of queued spans. Further spans are dropped.
const SPANS_MAX: usize = 65_536;
/// Maximum number of spans in one export.
const BATCH_MAX: usize = 2_048;
/// How long spans are collected before an export.
const BATCH_DELAY: Duration = Duration::from_millis(500);
/// Timeout for the response of the collector.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Collects spans. The [`Sender`] that [`start`](Traces::start) returns exports them.
pub struct Traces {
    spans: mpsc::Sender<SpanData>,
    scope: InstrumentationScope,
}

/// Exports the collected spans.
pub struct Sender {
    spans: mpsc::Receiver<SpanData>,
    exporter: SpanExporter,
}

/// Why traces cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum TracesError {
    /// The environment variables are invalid.
    #[error("cannot use the `OTEL_` environment variables")]
    Exporter(#[from] ExporterBuildError),
    /// The system's certificates cannot be read.
    #[error("cannot read the system's certificates")]
    Certificates(#[from] std::io::Error),
}

impl Traces {
    /// Starts to collect spans, as set by the standard environment variables.
    ///
    /// # Errors
    /// Returns an error if the environment variables are invalid or the system's certificates
    /// cannot be read.
    pub fn start() -> Result<(Self, Sender), TracesError> {
        let connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        let client = HyperClient::new(connector, EXPORT_TIMEOUT, None);
        let mut exporter = SpanExporter::builder().with_http().with_http_client(client).build()?;
        exporter.set_resource(&resource());
        let (spans, queue) = mpsc::channel(SPANS_MAX);
        let scope = InstrumentationScope::builder("oms").with_version(env!("CARGO_PKG_VERSION"));
        Ok((Self { spans, scope: scope.build() }, Sender { spans: queue, exporter }))
    }

    fn send(&self, span: SpanData) {
        // A slow collector must not delay orders. The span is dropped.
        let _dropped = self.spans.try_send(span);
    }

    fn span(&self, run: &RunInfo, id: SpanId, parent: SpanId, name: String) -> SpanData {
        let trace = TraceId::from_hex(&run.id).unwrap_or(TraceId::INVALID);
        let (flags, state) = (TraceFlags::SAMPLED, TraceState::default());
        SpanData {
            span_context: SpanContext::new(trace, id, flags, false, state),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: SystemTime::UNIX_EPOCH,
            end_time: SystemTime::UNIX_EPOCH,
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: self.scope.clone(),
        }
    }
}

/// Returns the resource with the service name from the environment variables, or else `oms`.
fn resource() -> Resource {
    let configured = Resource::builder().build();
    let name = configured.get(&Key::new("service.name")).map(|name| name.to_string());
    match name.is_none_or(|name| name.starts_with("unknown_service")) {
        true => Resource::builder().with_service_name("oms").build(),
        false => configured,
    }
}

impl Listener for Traces {
    fn committed(&self, run: &RunInfo, events: &[Event], state: RunState) {
        let root = SpanId::from_bytes(span_id_of(&[&run.id]));
        for event in events {
            let (step, element, attempt, at, micros, failure) = match event {
                Event::Succeeded { step, element, attempt, at, micros, .. } => {
                    (step, element, attempt, at, micros, None)
                }
                Event::Failed { step, element, attempt, at, micros, failure, .. } => {
                    (step, element, attempt, at, micros, Some(failure))
                }
                _ => continue,
            };
            let id = span_id(&run.id, step, *element, *attempt);
            let element = element.map(|element| element.to_string()).unwrap_or_default();
            let id = SpanId::from_bytes(id);
            let mut span = self.span(run, id, root, step.to_string());
            span.end_time = SystemTime::from(*at);
            let begun = span.end_time.checked_sub(Duration::from_micros(*micros));
            span.start_time = begun.unwrap_or(span.end_time);
            span.attributes.push(KeyValue::new("oms.attempt", i64::from(*attempt)));
            if !element.is_empty() {
                span.attributes.push(KeyValue::new("oms.element", element));
            }
            if let Some(failure) = failure {
                let cause = failure.cause.to_string();
                span.status = Status::error(cause.clone());
                span.attributes.push(KeyValue::new("oms.cause", cause));
            }
            self.send(span);
        }
        if matches!(state, RunState::InProgress | RunState::Waiting) {
            return;
        }
        let name = format!("order {}", run.pipeline);
        let mut span = self.span(run, root, SpanId::INVALID, name);
        span.span_kind = SpanKind::Consumer;
        span.start_time = SystemTime::from(run.accepted_at);
        let ends = events.iter().map(|event| SystemTime::from(event.at()));
        span.end_time = ends.max().unwrap_or(span.start_time).max(span.start_time);
        span.attributes.extend([
            KeyValue::new("oms.pipeline", run.pipeline.to_string()),
            KeyValue::new("oms.key", run.key.to_string()),
            KeyValue::new("oms.state", state.as_str()),
        ]);
        if state == RunState::Parked {
            span.status = Status::error("parked");
        }
        self.send(span);
    }
}

impl Sender {
    /// Exports spans until [`Traces`] is dropped. Calls `report` for the first of several
    /// consecutive failures.
    pub async fn run(mut self, report: impl Fn(String) + Send) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut failing = false;
        while self.spans.recv_many(&mut batch, BATCH_MAX).await > 0 {
            if batch.len() < BATCH_MAX && !self.spans.is_closed() {
                tokio::time::sleep(BATCH_DELAY).await;
                while let (true, Ok(span)) = (batch.len() < BATCH_MAX, self.spans.try_recv()) {
                    batch.push(span);
                }
            }
            let spans = std::mem::replace(&mut batch, Vec::with_capacity(BATCH_MAX));
            match self.exporter.export(spans).await {
                Ok(()) => failing = false,
                Err(error) if !failing => {
                    failing = true;
                    report(format!("cannot export traces: {error}"));
                }
                Err(_) => {}
            }
        }
    }
}

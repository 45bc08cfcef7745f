//! Metrics for Prometheus.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{ACCEPT, CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use oms_engine::run::RunState;
use oms_runtime::Settled;
use oms_sqlite::Scope;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::http::auth::authorize;
use crate::http::reply::respond;
use crate::state::site::Site;

/// The bucket boundaries of the acceptance time in seconds.
const SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStatus {
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFlow {
    pipeline: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfAnswer {
    pipeline: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfState {
    pipeline: String,
    state: &'static str,
}

/// All metrics.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<OfStatus, Counter>,
    answers: Family<OfAnswer, Counter>,
    ended: Family<OfState, Counter>,
    caught: Family<OfFlow, Counter>,
    open: Family<OfState, Gauge>,
    queued: Family<OfFlow, Gauge>,
    acceptance: Family<OfFlow, Histogram, fn() -> Histogram>,
}

fn histogram() -> Histogram {
    Histogram::new(SECONDS)
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("oms");
        let metrics = Self {
            requests: Family::default(),
            answers: Family::default(),
            ended: Family::default(),
            caught: Family::default(),
            open: Family::default(),
            queued: Family::default(),
            acceptance: Family::new_with_constructor(histogram as fn() -> Histogram),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests by status", metrics.requests.clone());
        registry.register(
            "orders",
            "Orders by the status of the response",
            metrics.answers.clone(),
        );
        registry.register(
            "runs_ended",
            "Runs that completed, were parked or were cancelled, by state",
            metrics.ended.clone(),
        );
        registry.register(
            "runs_caught",
            "Completed runs with a failure that a catch step handled",
            metrics.caught.clone(),
        );
        registry.register("runs_open", "Runs that have not ended, by state", metrics.open.clone());
        registry.register("orders_queued", "Queued orders", metrics.queued.clone());
        registry.register(
            "acceptance_seconds",
            "Time from the last byte of an order until it is on disk",
            metrics.acceptance.clone(),
        );
        Self { registry, ..metrics }
    }

    /// Returns the metrics of one pipeline.
    pub(crate) fn of(&self, pipeline: &str) -> FlowMetrics {
        let of = OfFlow { pipeline: pipeline.to_owned() };
        FlowMetrics {
            pipeline: pipeline.to_owned(),
            answers: self.answers.clone(),
            ended: self.ended.clone(),
            // Created here, so that the metric is 0 instead of absent before the first run.
            caught: self.caught.get_or_create(&of).clone(),
            acceptance: self.acceptance.get_or_create(&of).clone(),
        }
    }

    pub(crate) fn requested(&self, status: StatusCode) {
        self.requests.get_or_create(&OfStatus { status: status.as_u16() }).inc();
    }
}

/// The metrics of one pipeline.
#[derive(Clone)]
pub(crate) struct FlowMetrics {
    pipeline: String,
    answers: Family<OfAnswer, Counter>,
    ended: Family<OfState, Counter>,
    caught: Counter,
    acceptance: Histogram,
}

impl FlowMetrics {
    /// Counts an order by the status of the response.
    pub(crate) fn answered(&self, status: StatusCode) {
        let of = OfAnswer { pipeline: self.pipeline.clone(), status: status.as_u16() };
        self.answers.get_or_create(&of).inc();
    }

    /// Records the time until an order was on disk.
    pub(crate) fn took(&self, time: Duration) {
        self.acceptance.observe(time.as_secs_f64());
    }

    /// Counts a run that completed, was parked or was cancelled.
    pub(crate) fn settled(&self, settled: &Settled) {
        let Settled::Run { state, caught, .. } = settled else { return };
        if *state == RunState::Completed && *caught > 0 {
            self.caught.inc();
        }
        let of = OfState { pipeline: self.pipeline.clone(), state: state.as_str() };
        self.ended.get_or_create(&of).inc();
    }
}

/// `GET /metrics`: the metrics of the pipelines whose keys admit the caller. Requests are counted for all pipelines together, so only callers that all
/// pipelines admit see them.
pub(crate) async fn text(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let mut admitting = Vec::new();
    let mut refused = None;
    for flow in &site.flows {
        match authorize(&site, flow, &headers, Scope::Intake) {
            Ok(_) => admitting.push(flow),
            Err(reply) => refused = refused.or(Some(reply)),
        }
    }
    if let (true, Some(refused)) = (admitting.is_empty(), &refused) {
        return respond(refused);
    }
    for flow in &admitting {
        let pipeline = flow.plan().name().to_string();
        let of = OfFlow { pipeline: pipeline.clone() };
        let waiting = i64::try_from(flow.waiting()).unwrap_or(i64::MAX);
        site.metrics.queued.get_or_create(&of).set(waiting);
        let Ok(open) = flow.runner.count_open() else { continue };
        for state in [RunState::InProgress, RunState::Waiting, RunState::Parked] {
            let count = open.iter().find(|(of, _)| *of == state).map_or(0, |(_, count)| *count);
            let of = OfState { pipeline: pipeline.clone(), state: state.as_str() };
            site.metrics.open.get_or_create(&of).set(count);
        }
    }
    let mut text = String::new();
    if encode(&mut text, &site.metrics.registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let names: Vec<String> = admitting.iter().map(|flow| flow.plan().name().to_string()).collect();
    let shown = |pipeline: Option<&str>| match pipeline {
        Some(pipeline) => names.iter().any(|name| name == pipeline),
        None => refused.is_none(),
    };
    let format = Format::wanted(&headers);
    let text = format.write(&text, shown);
    ([(CONTENT_TYPE, format.media_type()), (VARY, "Accept")], text).into_response()
}

/// The format of the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// The text format of Prometheus (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
    Prometheus,
    /// OpenMetrics 1.0.0.
    OpenMetrics,
}

impl Format {
    /// Returns the format that the header `Accept` prefers (RFC 9110, 12.5.1).
    fn wanted(headers: &HeaderMap) -> Self {
        let (mut open, mut text) = (0.0, 0.0);
        let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
        for range in accepts.flat_map(|accept| accept.split(',')) {
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok());
            let weight = weight.unwrap_or(1.0);
            match kind.as_str() {
                "application/openmetrics-text" => open = weight.max(open),
                "text/plain" | "text/*" => text = weight.max(text),
                _ => {}
            }
        }
        if open > 0.0 && open >= text { Self::OpenMetrics } else { Self::Prometheus }
    }

    const fn media_type(self) -> &'static str {
        match self {
            Self::Prometheus => "text/plain; version=0.0.4; charset=utf-8",
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        }
    }

    /// Converts metrics from OpenMetrics to this format and keeps only the lines that `shown` accepts for their pipeline, or for no pipeline.
    fn write(self, text: &str, shown: impl Fn(Option<&str>) -> bool) -> String {
        // In the Prometheus format, `# HELP` and `# TYPE` use the counter's name with `_total`.
        let counters: Vec<&str> = text
            .lines()
            .filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter"))
            .collect();
        let mut written = String::with_capacity(text.len());
        for line in text.lines() {
            match line.strip_prefix("# ").and_then(|rest| rest.split_once(' ')) {
                Some((word @ ("HELP" | "TYPE"), rest)) if self == Self::Prometheus => {
                    let (name, rest) = rest.split_once(' ').unwrap_or((rest, ""));
                    let end = if counters.contains(&name) { "_total" } else { "" };
                    written.extend(["# ", word, " ", name, end, " ", rest, "\n"]);
                    continue;
                }
                None if line.starts_with('#') && self == Self::Prometheus => continue,
                _ => {}
            }
            // Label values never contain escaped characters, so the label may be at any position.
            let label = line.split_once("{pipeline=\"").or_else(|| line.split_once(",pipeline=\""));
            let pipeline = label.and_then(|(_, rest)| rest.split('"').next());
            if line.starts_with('#') || shown(pipeline) {
                written.extend([line, "\n"]);
            }
        }
        written
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_preferred_format_is_used() {
        let of = |accept: &'static str| {
            Format::wanted(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]))
        };
        assert_eq!(Format::wanted(&HeaderMap::new()), Format::Prometheus);
        for (accept, format) in [
            ("*/*", Format::Prometheus),
            ("text/plain", Format::Prometheus),
            ("application/openmetrics-text", Format::OpenMetrics),
            (
                "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.1",
                Format::OpenMetrics,
            ),
            (
                "text/plain;version=0.0.4;q=0.6, Application/OpenMetrics-Text; q=0.5",
                Format::Prometheus,
            ),
            ("application/openmetrics-text;q=0, */*", Format::Prometheus),
        ] {
            assert_eq!(of(accept), format, "{accept}");
        }
    }

    #[test]
    fn callers_see_the_metrics_of_pipelines_that_admit_them() {
        let metrics = Metrics::new();
        for pipeline in ["one", "two"] {
            metrics.of(pipeline).answered(StatusCode::CREATED);
        }
        metrics.of("one").took(Duration::from_millis(3));
        metrics.requested(StatusCode::OK);
        let mut text = String::new();
        encode(&mut text, &metrics.registry).unwrap();
        let one = Format::OpenMetrics.write(&text, |pipeline| pipeline == Some("one"));
        assert!(one.contains("oms_orders_total{pipeline=\"one\",status=\"201\"} 1\n"), "{one}");
        assert!(!one.contains("two") && !one.contains("oms_http_requests_total"), "{one}");
        let buckets = one.matches("oms_acceptance_seconds_bucket{").count();
        assert_eq!(buckets, SECONDS.len() + 1, "{one}");
        assert!(one.contains("# TYPE oms_orders counter\n") && one.ends_with("# EOF\n"), "{one}");
        let all = Format::Prometheus.write(&text, |_| true);
        assert!(all.contains("# TYPE oms_orders_total counter\n"), "{all}");
        assert!(all.contains("oms_http_requests_total{status=\"200\"} 1\n"), "{all}");
        assert!(!all.contains("EOF") && !all.contains("# TYPE oms_orders counter"), "{all}");
    }
}

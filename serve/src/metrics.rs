//! What happens here, in numbers that Prometheus reads.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use oms_engine::run::RunState;
use oms_local::{Scope, Settled};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::auth::authorize;
use crate::reply::respond;
use crate::site::Site;

/// Seconds between which the times of acceptances are counted.
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

/// All of them.
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
            "Orders by the status they were answered with",
            metrics.answers.clone(),
        );
        registry.register(
            "runs_ended",
            "Runs that came to an end or a stop here, by state",
            metrics.ended.clone(),
        );
        registry.register(
            "runs_caught",
            "Runs that completed here although a step failed, because a catch step handled it",
            metrics.caught.clone(),
        );
        registry.register("runs_open", "Runs that have not ended, by state", metrics.open.clone());
        registry.register(
            "orders_queued",
            "Orders that wait to be worked on",
            metrics.queued.clone(),
        );
        registry.register(
            "acceptance_seconds",
            "From an order's last byte until it is on disk",
            metrics.acceptance.clone(),
        );
        Self { registry, ..metrics }
    }

    /// Returns those of one pipeline.
    pub(crate) fn of(&self, pipeline: &str) -> FlowMetrics {
        let of = OfFlow { pipeline: pipeline.to_owned() };
        FlowMetrics {
            pipeline: pipeline.to_owned(),
            answers: self.answers.clone(),
            ended: self.ended.clone(),
            // Made here, so that it is 0 and not absent before the first one.
            caught: self.caught.get_or_create(&of).clone(),
            acceptance: self.acceptance.get_or_create(&of).clone(),
        }
    }

    pub(crate) fn requested(&self, status: StatusCode) {
        self.requests.get_or_create(&OfStatus { status: status.as_u16() }).inc();
    }
}

/// Those of one pipeline.
#[derive(Clone)]
pub(crate) struct FlowMetrics {
    pipeline: String,
    answers: Family<OfAnswer, Counter>,
    ended: Family<OfState, Counter>,
    caught: Counter,
    acceptance: Histogram,
}

impl FlowMetrics {
    /// Counts an order by its answer.
    pub(crate) fn answered(&self, status: StatusCode) {
        let of = OfAnswer { pipeline: self.pipeline.clone(), status: status.as_u16() };
        self.answers.get_or_create(&of).inc();
    }

    /// Counts how long it took until an order was on disk.
    pub(crate) fn took(&self, time: Duration) {
        self.acceptance.observe(time.as_secs_f64());
    }

    /// Counts a run that came to an end or a stop.
    pub(crate) fn settled(&self, settled: &Settled) {
        let Settled::Run { state, caught, .. } = settled else { return };
        if *state == RunState::Completed && *caught > 0 {
            self.caught.inc();
        }
        let of = OfState { pipeline: self.pipeline.clone(), state: state.as_str() };
        self.ended.get_or_create(&of).inc();
    }
}

/// `GET /metrics`.
pub(crate) async fn text(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    // Where keys are asked for, a key of any pipeline will do.
    let mut asked = site.flows.iter().map(|flow| authorize(&site, flow, &headers, Scope::Intake));
    if let (false, Some(refused)) =
        (asked.clone().any(|one| one.is_ok()), asked.find_map(Result::err))
    {
        return respond(&refused);
    }
    for flow in &site.flows {
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
    match encode(&mut text, &site.metrics.registry) {
        Ok(()) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

//! The metrics of the server.

use std::fmt;
use std::time::Duration;

use axum::http::StatusCode;
use oms_engine::run::RunState;
use oms_runtime::Settled;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// The bucket boundaries of the acceptance time in seconds.
pub(super) const BUCKETS_SECONDS: [f64; 12] =
    [0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StatusLabel {
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PipelineLabel {
    pipeline: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OrderLabels {
    pipeline: String,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct StateLabels {
    pipeline: String,
    state: &'static str,
}

/// All metrics.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<StatusLabel, Counter>,
    orders: Family<OrderLabels, Counter>,
    ended: Family<StateLabels, Counter>,
    caught: Family<PipelineLabel, Counter>,
    open: Family<StateLabels, Gauge>,
    queued: Family<PipelineLabel, Gauge>,
    acceptance: Family<PipelineLabel, Histogram, fn() -> Histogram>,
}

fn histogram() -> Histogram {
    Histogram::new(BUCKETS_SECONDS)
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let mut registry = Registry::with_prefix("oms");
        let metrics = Self {
            requests: Family::default(),
            orders: Family::default(),
            ended: Family::default(),
            caught: Family::default(),
            open: Family::default(),
            queued: Family::default(),
            acceptance: Family::new_with_constructor(histogram as fn() -> Histogram),
            registry: Registry::default(),
        };
        registry.register("http_requests", "Requests by status", metrics.requests.clone());
        registry.register("orders", "Orders by the status of the response", metrics.orders.clone());
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
        registry.register(
            "runs_open",
            "Runs that are in progress, waiting or parked, by state",
            metrics.open.clone(),
        );
        registry.register("orders_queued", "Queued orders", metrics.queued.clone());
        registry.register(
            "acceptance_seconds",
            "Time from the last byte of an order until it is on disk",
            metrics.acceptance.clone(),
        );
        Self { registry, ..metrics }
    }

    /// Returns the metrics of one pipeline.
    pub(crate) fn of_pipeline(&self, pipeline: &str) -> PipelineMetrics {
        let of = PipelineLabel { pipeline: pipeline.to_owned() };
        PipelineMetrics {
            pipeline: pipeline.to_owned(),
            orders: self.orders.clone(),
            ended: self.ended.clone(),
            // Created here, so that the metric is 0 instead of absent before the first run.
            caught: self.caught.get_or_create(&of).clone(),
            acceptance: self.acceptance.get_or_create(&of).clone(),
        }
    }

    /// Counts a request by the status of the response.
    pub(crate) fn count_request(&self, status: StatusCode) {
        self.requests.get_or_create(&StatusLabel { status: status.as_u16() }).inc();
    }

    /// Sets the number of orders that wait to run.
    pub(crate) fn set_queued(&self, pipeline: &str, count: usize) {
        let of = PipelineLabel { pipeline: pipeline.to_owned() };
        self.queued.get_or_create(&of).set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Sets the number of runs that have not ended, for one of their states.
    pub(crate) fn set_open(&self, pipeline: &str, state: RunState, count: i64) {
        let of = StateLabels { pipeline: pipeline.to_owned(), state: state.as_str() };
        self.open.get_or_create(&of).set(count);
    }

    /// Returns all metrics in OpenMetrics format.
    pub(crate) fn encode(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

/// The metrics of one pipeline.
#[derive(Clone)]
pub(crate) struct PipelineMetrics {
    pipeline: String,
    orders: Family<OrderLabels, Counter>,
    ended: Family<StateLabels, Counter>,
    caught: Counter,
    acceptance: Histogram,
}

impl PipelineMetrics {
    /// Counts an order by the status of the response.
    pub(crate) fn count_order(&self, status: StatusCode) {
        let of = OrderLabels { pipeline: self.pipeline.clone(), status: status.as_u16() };
        self.orders.get_or_create(&of).inc();
    }

    /// Records the time until an order was on disk.
    pub(crate) fn observe_acceptance(&self, time: Duration) {
        self.acceptance.observe(time.as_secs_f64());
    }

    /// Counts a run that completed, was parked or was cancelled.
    pub(crate) fn count_run(&self, settled: &Settled) {
        let Settled::Run { state, caught, .. } = settled else { return };
        if *state == RunState::Completed && *caught > 0 {
            self.caught.inc();
        }
        let of = StateLabels { pipeline: self.pipeline.clone(), state: state.as_str() };
        self.ended.get_or_create(&of).inc();
    }
}

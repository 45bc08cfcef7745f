//! The search for lost orders. It compares the stored orders with the notes of the handlers, and
//! sends an order again to each handler without a note on it.
//!
//! S3 may fail to announce an object, and dead letters expire, but a stored order still exists. A
//! parked order has a note and waits for a fix. Orders that SQS gave up on are noted as parked
//! first.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_clock::SystemClock;
use oms_engine::effects::{Branches, Clock as _, OrderLocation, Orders, Queue, StepError};
use oms_engine::plan::{Choreography, Plan};
use serde_json::{Value as Json, json};

use crate::dead_letters::DeadLetters;
use crate::log;

/// Time reserved at the end of an invocation to store the position. It must be longer than the
/// comparison of one part of the orders.
const MARGIN: Duration = Duration::from_secs(30);
/// Number of orders that are compared at once.
const PART: usize = 100;

/// The age of orders that can be lost.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Minimum age. Younger orders may still be in progress.
    pub min_age: Duration,
    /// Maximum age. Older orders are ignored, so that a new handler, or the loss of all notes, does
    /// not cause all earlier orders to be processed again.
    pub max_age: Duration,
}

/// A handler that searches for lost orders.
pub struct ReconcileHandler {
    plan: Arc<Plan>,
    bucket: Arc<str>,
    /// Name of the bucket in S3.
    bucket_name: String,
    window: Window,
    orders: Arc<dyn Orders>,
    branches: Arc<dyn Branches>,
    queues: BTreeMap<String, Arc<dyn Queue>>,
    dead_letters: DeadLetters,
}

/// The result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Number of stored orders that were compared.
    pub orders: u64,
    /// Number of missing notes, counted for each handler. Each of these orders was sent to its
    /// handler again.
    pub missing: u64,
    /// Whether this comparison covered all orders. It did not if it stopped early, or if it
    /// continued an earlier comparison.
    pub all: bool,
}

impl ReconcileHandler {
    /// Creates a handler for the orders in the bucket `real`. `queues` and `dead_letters` are the
    /// queues of the branches by name.
    pub fn new(
        (plan, choreography): &(Arc<Plan>, Choreography),
        real: String,
        window: Window,
        orders: Arc<dyn Orders>,
        branches: Arc<dyn Branches>,
        queues: BTreeMap<String, Arc<dyn Queue>>,
        dead_letters: BTreeMap<String, Arc<dyn Queue>>,
    ) -> Self {
        let (plan, bucket) = (Arc::clone(plan), Arc::clone(&choreography.bucket));
        let dead_letters = DeadLetters {
            pipeline: Arc::clone(plan.name()),
            object: choreography.object.clone(),
            branches: Arc::clone(&branches),
            queues: dead_letters,
        };
        Self { plan, bucket, bucket_name: real, window, orders, branches, queues, dead_letters }
    }

    /// Notes the orders that SQS gave up on as parked. Then compares the stored orders until all are
    /// compared or the deadline is near, and logs the result as CloudWatch metrics.
    ///
    /// # Errors
    /// Returns an error if a service fails. Orders that were already sent stay sent.
    pub async fn event(&self, deadline: Timestamp) -> Result<Json, StepError> {
        // A failure of one search must not prevent the other.
        let parked = self.dead_letters.note(deadline).await;
        let compared = self.compare(deadline).await?;
        log::json(&comparison_line(self.plan.name(), &compared));
        let parked = parked?;
        let Comparison { orders, missing, all } = compared;
        Ok(json!({ "parked": parked, "orders": orders, "missing": missing, "all": all }))
    }

    /// Compares the stored orders until all are compared or the deadline is near.
    ///
    /// # Errors
    /// Returns an error if a service fails.
    pub async fn compare(&self, deadline: Timestamp) -> Result<Comparison, StepError> {
        let pipeline = self.plan.name();
        let handlers: Vec<&str> = self.queues.keys().map(String::as_str).collect();
        let begun = self.branches.cursor(pipeline).await?;
        let mut after = begun.clone();
        let mut compared = Comparison::default();
        loop {
            let page = self.orders.list(&self.bucket, after.as_deref()).await?;
            if page.is_empty() {
                break;
            }
            for part in page.chunks(PART) {
                let objects: Vec<&str> = part
                    .iter()
                    .filter(|listed| !listed.is_empty && self.window.has(listed.stored_at))
                    .map(|listed| listed.object.as_str())
                    .collect();
                compared.orders += objects.len() as u64;
                let resent = self.resend(&handlers, &objects).await;
                after = part.last().map(|last| last.object.clone());
                // Store the position even after a failure, so that a failing part does not block
                // the orders after it forever.
                if resent.is_err() || time_left(deadline) < MARGIN {
                    self.branches.set_cursor(pipeline, after.as_deref()).await?;
                    compared.missing += resent?;
                    return Ok(compared);
                }
                compared.missing += resent?;
            }
        }
        if begun.is_some() {
            self.branches.set_cursor(pipeline, None).await?;
        }
        Ok(Comparison { all: begun.is_none(), ..compared })
    }

    /// Sends orders again to the handlers that have no note on them.
    async fn resend(&self, handlers: &[&str], objects: &[&str]) -> Result<u64, StepError> {
        if objects.is_empty() {
            return Ok(0);
        }
        let missing = self.branches.missing(self.plan.name(), handlers, objects).await?;
        for lost in &missing {
            let Some(queue) = self.queues.get(&lost.handler) else { continue };
            let key = lost.object.clone();
            let place = OrderLocation { bucket: self.bucket_name.clone(), key, version: None };
            queue.send(place.to_message().to_string(), None).await?;
            let fields = [
                ("pipeline", &**self.plan.name()),
                ("handler", lost.handler.as_str()),
                ("object", lost.object.as_str()),
            ];
            log::log_line("warn", "sent an order without a note to its handler again", &fields);
        }
        Ok(missing.len() as u64)
    }
}

impl Window {
    fn has(&self, stored_at: Timestamp) -> bool {
        let age = SystemClock.now().duration_since(stored_at);
        let age = Duration::try_from(age).unwrap_or_default();
        (self.min_age..=self.max_age).contains(&age)
    }
}

/// Returns the time until the deadline.
pub(crate) fn time_left(deadline: Timestamp) -> Duration {
    Duration::try_from(deadline.duration_since(SystemClock.now())).unwrap_or_default()
}

/// Returns the log line of a comparison, with its metrics.
fn comparison_line(pipeline: &str, compared: &Comparison) -> Json {
    let count = |name, value: u64| log::Metric {
        name,
        unit: "Count",
        value: i64::try_from(value).unwrap_or(i64::MAX),
    };
    let metrics =
        [count("ReconcileGap", compared.missing), count("ReconcileOrders", compared.orders)];
    let all = if compared.all { "true" } else { "false" };
    let fields = [("pipeline", pipeline), ("all", all)];
    let mut line = log::line("info", "compared stored orders", &fields);
    line.extend(log::metrics(SystemClock.now(), &["pipeline"], &metrics));
    Json::Object(line)
}

//! The search for lost orders: what is stored is compared with what the handlers noted, and who has no note on an order hears of it again.
//!
//! S3 may fail to announce an object, and dead letters expire; a stored order is still there. An order that a handler parked has a note, and
//! waits for a person.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_clock::SystemClock;
use oms_engine::effects::{Branches, Clock as _, Orders, Place, Queue, StepError};
use oms_engine::plan::{Choreography, Plan};
use serde_json::{Value as Json, json};

use crate::log;

/// Time that is left at the end of an invocation to note how far it came: longer than one part of the orders takes.
const MARGIN: Duration = Duration::from_secs(30);
/// Orders that are compared at once.
const PART: usize = 100;

/// Which orders count as lost.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Younger ones may still be under way.
    pub min_age: Duration,
    /// Older ones are let be: a handler that is new, or notes that are gone, are no reason to do everything again that ever was.
    pub max_age: Duration,
}

/// A handler that looks for lost orders.
pub struct ReconcileHandler {
    plan: Arc<Plan>,
    bucket: Arc<str>,
    /// The bucket's real name.
    real: String,
    window: Window,
    orders: Arc<dyn Orders>,
    branches: Arc<dyn Branches>,
    queues: BTreeMap<String, Arc<dyn Queue>>,
}

/// What a comparison came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Compared {
    /// Stored orders that were compared.
    pub orders: u64,
    /// Orders that a handler had no note on, counted for each handler; it was told of each again.
    pub missing: u64,
    /// Whether all of them were compared; if not, the next comparison goes on behind the last one.
    pub all: bool,
}

impl ReconcileHandler {
    /// Gets ready to compare the orders in the bucket `real`, and to tell handlers of them by their queues.
    pub fn new(
        (plan, choreography): &(Arc<Plan>, Choreography),
        real: String,
        window: Window,
        orders: Arc<dyn Orders>,
        branches: Arc<dyn Branches>,
        queues: BTreeMap<String, Arc<dyn Queue>>,
    ) -> Self {
        let bucket = Arc::clone(&choreography.bucket);
        Self { plan: Arc::clone(plan), bucket, real, window, orders, branches, queues }
    }

    /// Compares until all is compared or there is no time left, and writes down what it came to, as CloudWatch counts it.
    ///
    /// # Errors
    /// What a service said; what was sent until then is sent.
    pub async fn event(&self, deadline: Timestamp) -> Result<Json, StepError> {
        let compared = self.compare(deadline).await?;
        log::json(&counted(self.plan.name(), &compared));
        let Compared { orders, missing, all } = compared;
        Ok(json!({ "orders": orders, "missing": missing, "all": all }))
    }

    /// Compares until all is compared or there is no time left.
    ///
    /// # Errors
    /// What a service said.
    pub async fn compare(&self, deadline: Timestamp) -> Result<Compared, StepError> {
        let pipeline = self.plan.name();
        let handlers: Vec<&str> = self.queues.keys().map(String::as_str).collect();
        let begun = self.branches.cursor(pipeline).await?;
        let mut after = begun.clone();
        let mut compared = Compared::default();
        loop {
            let page = self.orders.list(&self.bucket, after.as_deref()).await?;
            if page.is_empty() {
                break;
            }
            for part in page.chunks(PART) {
                let objects: Vec<&str> = part
                    .iter()
                    .filter(|listed| self.window.has(listed.stored_at))
                    .map(|listed| listed.object.as_str())
                    .collect();
                compared.orders += objects.len() as u64;
                let told = self.tell(&handlers, &objects).await;
                after = part.last().map(|last| last.object.clone());
                // What stands in the way of these does not hide those behind them for ever.
                if told.is_err() || left(deadline) < MARGIN {
                    self.branches.set_cursor(pipeline, after.as_deref()).await?;
                    compared.missing += told?;
                    return Ok(compared);
                }
                compared.missing += told?;
            }
        }
        if begun.is_some() {
            self.branches.set_cursor(pipeline, None).await?;
        }
        Ok(Compared { all: begun.is_none(), ..compared })
    }

    /// Tells the handlers of what they have no note on.
    async fn tell(&self, handlers: &[&str], objects: &[&str]) -> Result<u64, StepError> {
        if objects.is_empty() {
            return Ok(0);
        }
        let missing = self.branches.missing(self.plan.name(), handlers, objects).await?;
        for lost in &missing {
            let Some(queue) = self.queues.get(&lost.handler) else { continue };
            let key = lost.object.clone();
            let place = Place { bucket: self.real.clone(), key, version: None };
            queue.send(place.message().to_string(), None).await?;
            let fields = [
                ("pipeline", &**self.plan.name()),
                ("handler", lost.handler.as_str()),
                ("object", lost.object.as_str()),
            ];
            log::line("warn", "an order was not worked on, and its handler is told again", &fields);
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

fn left(deadline: Timestamp) -> Duration {
    Duration::try_from(deadline.duration_since(SystemClock.now())).unwrap_or_default()
}

/// Writes a comparison in CloudWatch's embedded metric format ("Specification: Embedded metric format").
fn counted(pipeline: &str, compared: &Compared) -> Json {
    json!({
        "_aws": {
            "Timestamp": SystemClock.now().as_millisecond(),
            "CloudWatchMetrics": [{
                "Namespace": "oms",
                "Dimensions": [["pipeline"]],
                "Metrics": [{ "Name": "ReconcileGap", "Unit": "Count" }, { "Name": "ReconcileOrders", "Unit": "Count" }],
            }],
        },
        "level": "info",
        "message": "stored orders were compared",
        "pipeline": pipeline,
        "all": compared.all,
        "ReconcileGap": compared.missing,
        "ReconcileOrders": compared.orders,
    })
}

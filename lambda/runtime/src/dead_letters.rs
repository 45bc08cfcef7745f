//! Dead letters that SQS itself created, because it delivered a message the maximum number of times.
//! Unlike the dead letters of a handler, they contain no cause, and no note says that their orders
//! are parked.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::{Branches, DoneNote, OrderLocation, Queue, StepError, cause, examine};
use oms_engine::plan::ObjectKey;
use serde_json::Value as Json;

use crate::branch::{dead_letter, name_of_object};
use crate::event::orders_of;
use crate::log;
use crate::reconcile::time_left;

/// Time reserved at the end of an invocation.
const MARGIN: Duration = Duration::from_secs(30);

/// The dead letters of the handlers.
pub(crate) struct DeadLetters {
    pub(crate) pipeline: Arc<str>,
    pub(crate) object: Option<ObjectKey>,
    pub(crate) branches: Arc<dyn Branches>,
    pub(crate) queues: BTreeMap<String, Arc<dyn Queue>>,
}

impl DeadLetters {
    /// Notes the orders that SQS gave up on as parked, until all dead letters were examined or the
    /// deadline is near. Returns the number of orders that were noted.
    ///
    /// # Errors
    /// Returns an error if a service fails.
    pub(crate) async fn note(&self, deadline: Timestamp) -> Result<u64, StepError> {
        let mut noted = 0;
        for (handler, queue) in &self.queues {
            let goes_on = || time_left(deadline) > MARGIN;
            let examined = examine(&**queue, goes_on, async |body| {
                let body: Json = serde_json::from_str(body).unwrap_or_default();
                if body.get("oms").is_some() {
                    return Ok(false);
                }
                if orders_of(&body).is_empty() {
                    let fields = [("pipeline", &*self.pipeline), ("handler", handler)];
                    log::log_line("error", "a dead letter names no order", &fields);
                    return Ok(false);
                }
                noted += self.replace(handler, &**queue, &body).await?;
                Ok(true)
            });
            examined.await?;
        }
        Ok(noted)
    }

    /// Replaces a dead letter of SQS by one for each order that the handler is not done with. If
    /// this ends early, the dead letter is still there, and a repetition does no harm.
    async fn replace(
        &self,
        handler: &str,
        queue: &dyn Queue,
        body: &Json,
    ) -> Result<u64, StepError> {
        let reason = "SQS delivered the message the maximum number of times; the log of the handler has the reasons";
        let mut noted = 0;
        let orders: BTreeSet<OrderLocation> = orders_of(body).into_iter().collect();
        for place in orders {
            let key = self.object.as_ref().and_then(|object| object.run_key(&place.key));
            let key = key.unwrap_or_else(|| name_of_object(&place.key));
            let note = DoneNote { handler: Arc::from(handler), object: Arc::from(&*place.key) };
            let (pipeline, branches) = (&*self.pipeline, &self.branches);
            if !branches.parked(pipeline, key, &note, cause::DELIVERIES, reason).await? {
                continue;
            }
            let letter =
                dead_letter(place.to_message(), pipeline, handler, cause::DELIVERIES, reason);
            queue.send(letter.to_string(), Some(cause::DELIVERIES)).await?;
            let fields = [
                ("pipeline", pipeline),
                ("handler", handler),
                ("object", place.key.as_str()),
                ("cause", cause::DELIVERIES),
            ];
            log::log_line("error", "noted an order that SQS gave up on", &fields);
            noted += 1;
        }
        Ok(noted)
    }
}

//! The requests of a run to services: their idempotency keys, and the answers that are stored.
//!
//! A key stays the same while the outcome of its requests is unknown, so that every further attempt
//! repeats the same request. After a refusal, the next attempt uses a new key, because services
//! replay a saved refusal for the same key ("Idempotent requests" in the API reference of Stripe).

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use oms_core::effects::{Answer, Class, RequestEnd, StepError, cause};
use oms_core::value::{Digest, Value, to_json};

use super::event::Event;
use super::failure::Failure;
use crate::plan::{Plan, PlannedStep};
use crate::step::Safety;

/// The requests of a run, by the position of the step and the element.
#[derive(Default)]
pub(super) struct Requests(BTreeMap<(usize, Option<u32>), Request>);

/// The request of a step or of one of its elements.
#[derive(Clone, Default)]
struct Request {
    /// The number of keys that are no longer in use.
    counter: u32,
    /// The first request under the current key whose outcome is unknown.
    open: Option<Claim>,
    /// The claim of an attempt that has no recorded end.
    claimed: Option<Claim>,
    /// Whether the last attempt failed with an unknown outcome that holds the run.
    is_held: bool,
    /// The stored answer.
    answer: Option<Arc<Answer>>,
}

/// The claim of a request.
#[derive(Clone)]
struct Claim {
    at: Timestamp,
    request: Arc<str>,
}

impl Requests {
    /// Applies an event. Events of steps that call no service are ignored.
    pub(super) fn apply(&mut self, event: &Event, plan: &Plan) {
        let (Event::Claimed { step, element, .. }
        | Event::Answered { step, element, .. }
        | Event::Failed { step, element, .. }
        | Event::Succeeded { step, element, .. }) = event
        else {
            if let Event::Retried { .. } = event {
                self.0.values_mut().for_each(Request::retry);
            }
            return;
        };
        let Some(at) = plan.step(step) else { return };
        if !plan.steps().get(at).is_some_and(PlannedStep::calls_service) {
            return;
        }
        if let Event::Succeeded { .. } = event {
            self.0.remove(&(at, *element));
            return;
        }
        self.0.entry((at, *element)).or_default().apply(event);
    }

    fn get(&self, step: usize, element: Option<u32>) -> Option<&Request> {
        self.0.get(&(step, element))
    }

    /// Returns the number of idempotency keys that a step has used up.
    pub(super) fn keys_used(&self, step: usize, element: Option<u32>) -> u32 {
        self.get(step, element).map_or(0, |request| request.counter)
    }

    /// Returns the stored answer that the next attempt reads.
    pub(super) fn answer(&self, step: usize, element: Option<u32>) -> Option<Arc<Answer>> {
        self.get(step, element)?.answer.clone()
    }

    /// Checks whether a request can be sent under its key.
    ///
    /// # Errors
    /// Returns the failure that holds the run, if the service may process the request twice: it no
    /// longer keeps the key, or the request has changed.
    pub(super) fn check(
        &self,
        (step, element): (usize, Option<u32>),
        planned: &PlannedStep,
        input: &Value,
        now: Timestamp,
    ) -> Result<(), Failure> {
        let keeps = planned.effects.iter().find_map(|effect| match effect.safety {
            Safety::Keyed { keeps_seconds } => Some(keeps_seconds),
            _ => None,
        });
        let (Some(keeps), Some(request)) = (keeps, self.get(step, element)) else { return Ok(()) };
        let open = request.open.as_ref().or(request.claimed.as_ref());
        let (Some(open), None) = (open, &request.answer) else { return Ok(()) };
        let keeps = SignedDuration::from_secs(i64::try_from(keeps).unwrap_or(i64::MAX));
        let message = if now.duration_since(open.at) > keeps {
            "the outcome of an earlier request is unknown, and the service no longer keeps its idempotency key"
        } else if digest(input) != open.request {
            "the outcome of an earlier request is unknown, and the request has changed since then"
        } else {
            return Ok(());
        };
        Err(Failure::from(&StepError::unknown(message)))
    }
}

impl Request {
    fn apply(&mut self, event: &Event) {
        match event {
            Event::Claimed { at, request, .. } => {
                // The end of an earlier claim is not recorded, so its outcome is unknown.
                self.open = self.open.take().or_else(|| self.claimed.take());
                let request = request.clone().unwrap_or_default();
                self.claimed = Some(Claim { at: *at, request });
            }
            Event::Answered { answer, .. } => self.answer = Some(Arc::clone(answer)),
            Event::Failed { failure, .. } => {
                let claimed = self.claimed.take();
                match failure.request {
                    Some(RequestEnd::NotDone) => {}
                    Some(RequestEnd::Refused) => self.advance(),
                    None => self.open = self.open.take().or(claimed),
                }
                self.is_held = failure.class == Class::Unknown;
                if failure.cause != cause::ANSWER {
                    self.answer = None;
                }
            }
            _ => {}
        }
    }

    /// Uses a new key from now on.
    fn advance(&mut self) {
        self.counter = self.counter.saturating_add(1);
        self.open = None;
    }

    /// Applies a user's request for a retry. If the run was held, the user has decided to send the
    /// request again.
    fn retry(&mut self) {
        if std::mem::take(&mut self.is_held) {
            self.advance();
        }
    }
}

/// Returns the digest of a request, to find out whether it has changed.
pub(super) fn digest(input: &Value) -> Arc<str> {
    Arc::from(Digest::of(to_json(input).to_string().as_bytes()).short())
}

//! A branch handler: runs the steps of one branch for each order in an event.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::Timestamp;
use oms_engine::effects::{
    Class, Clock as _, DoneNote, Effects as _, OrderLocation, Orders, Queue, cause,
};
use oms_engine::plan::{Choreography, ObjectKey, Plan};
use oms_engine::run::{Run, RunState, StepState, accept, advance};
use serde_json::{Value as Json, json};

use crate::bundle::BundleError;
use crate::event::{Message, Note};
use crate::log;
use crate::rates::Plans;
use crate::world::World;

/// Time reserved at the end of an invocation to report the outcome.
const MARGIN: Duration = Duration::from_millis(1_500);

/// A handler that runs a branch.
pub struct BranchHandler {
    name: Arc<str>,
    plan: Arc<Plan>,
    steps: BTreeSet<usize>,
    last: Option<usize>,
    object: Option<ObjectKey>,
    orders: Arc<dyn Orders>,
    world: World,
    dead_letters: Arc<dyn Queue>,
    plans: Option<Plans>,
}

/// The outcome of a branch for one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps of the branch are completed.
    Done,
    /// A temporary failure. The order must be processed again.
    Retry {
        /// The cause.
        cause: String,
        /// The description of the failure.
        reason: String,
    },
    /// A permanent failure that requires a fix. The order goes to the dead letters.
    Parked {
        /// The run's key, or the name of the object if the key is unknown.
        key: String,
        /// The cause.
        cause: String,
        /// The description of the failure.
        reason: String,
    },
}

impl BranchHandler {
    /// Creates the handler of the branch `name`.
    ///
    /// # Errors
    /// Returns an error if the pipeline has no such handler.
    pub fn new(
        name: &str,
        (plan, choreography): &(Arc<Plan>, Choreography),
        orders: Arc<dyn Orders>,
        world: World,
        dead_letters: Arc<dyn Queue>,
    ) -> Result<Self, BundleError> {
        let branch = choreography.branches.iter().find(|branch| *branch.name == *name);
        let branch = branch.ok_or_else(|| BundleError::Handler(name.to_owned()))?;
        Ok(Self {
            name: Arc::clone(&branch.name),
            plan: Arc::clone(plan),
            steps: branch.steps.clone(),
            last: branch.last,
            object: choreography.object.clone(),
            orders,
            world,
            dead_letters,
            plans: None,
        })
    }

    /// Uses the exchange rates with which each order was accepted.
    #[must_use]
    pub fn with_rates(self, plans: Plans) -> Self {
        Self { plans: Some(plans), ..self }
    }

    /// Processes the messages of an event one after the other until the deadline. The response
    /// lists the messages that must be delivered again.
    pub async fn event(&self, messages: &[Message], deadline: Timestamp) -> Json {
        let mut failed = Vec::new();
        for message in messages {
            if self.message(message, deadline).await {
                continue;
            }
            match &message.id {
                Some(id) => failed.push(json!({ "itemIdentifier": id })),
                // Without SQS, the message has no id. `serve_branch` returns an error, so the
                // caller retries the whole event.
                None => failed.push(json!({ "itemIdentifier": "" })),
            }
        }
        json!({ "batchItemFailures": failed })
    }

    /// Processes a message. Returns whether the message can be deleted.
    async fn message(&self, message: &Message, deadline: Timestamp) -> bool {
        let mut done = true;
        for place in &message.places {
            let outcome = self.order(place, deadline).await;
            let (level, state, cause, reason) = match &outcome {
                Outcome::Done => ("info", "completed", "", ""),
                Outcome::Retry { cause, reason } => {
                    ("warn", "again", cause.as_str(), reason.as_str())
                }
                Outcome::Parked { cause, reason, .. } => {
                    ("error", "parked", cause.as_str(), reason.as_str())
                }
            };
            let fields = [
                ("object", place.key.as_str()),
                ("state", state),
                ("cause", cause),
                ("reason", reason),
            ];
            self.log(level, "processed an order", &fields);
            done &= match outcome {
                Outcome::Done => true,
                Outcome::Retry { .. } => false,
                Outcome::Parked { key, cause, reason } => {
                    self.park(place, &key, &cause, &reason).await;
                    self.send_dead_letter(place.to_message(), &cause, &reason).await
                }
            };
        }
        match message.note {
            None => {}
            Some(Note::Test) => self.log("info", "received a test event from S3", &[]),
            Some(Note::Deleted) => self.log("info", "ignored the deletion of an object", &[]),
            Some(Note::Unreadable) => {
                self.log("error", "received a message that is not an S3 notification", &[]);
                done &= self
                    .send_dead_letter(json!({}), "message", "the message is not an S3 notification")
                    .await;
            }
        }
        done
    }

    /// Runs the branch for an order.
    pub async fn order(&self, place: &OrderLocation, deadline: Timestamp) -> Outcome {
        let left = deadline.duration_since(self.world.now());
        let left = Duration::try_from(left).unwrap_or_default().saturating_sub(MARGIN);
        if left.is_zero() {
            return retry("timeout", "no time was left in the invocation");
        }
        // A panic must not fail the other messages of the event. The runtime would return an error
        // for all of them, and SQS would deliver all of them again.
        let run = AssertUnwindSafe(self.run(place, deadline)).catch_unwind();
        match tokio::time::timeout(left, run).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => parked(
                name_of_object(&place.key),
                cause::PANIC,
                "the handler panicked, which is a bug; its log has the details",
            ),
            Err(_) => retry("timeout", "the order took longer than the invocation allows"),
        }
    }

    async fn run(&self, place: &OrderLocation, deadline: Timestamp) -> Outcome {
        let parked = |cause: &str, reason: &str| parked(name_of_object(&place.key), cause, reason);
        let stored = match self.orders.fetch(place).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return parked("no_object", "the stored order no longer exists"),
            Err(error) if error.class() == Class::Permanent => {
                return parked(error.cause(), error.message());
            }
            Err(error) => return retry(error.cause(), error.message()),
        };
        let named = self.object.as_ref().map(|object| object.run_key(&place.key));
        let found = named.flatten().unwrap_or_else(|| name_of_object(&place.key));
        let name = stored.name.as_deref().unwrap_or(found);
        let parked = |cause: &str, reason: &str| self::parked(name, cause, reason);
        let plan = match (&self.plans, &stored.rates) {
            (Some(plans), Some(version)) => match plans.with(version).await {
                Ok(plan) => plan,
                Err(error) if error.class() == Class::Permanent => {
                    return parked(error.cause(), error.message());
                }
                Err(error) => return retry(error.cause(), error.message()),
            },
            _ => Arc::clone(&self.plan),
        };
        let begin = || accept(&plan, &stored.body, name, stored.accepted_at);
        let mut run = match begin() {
            Ok(run) => run,
            // The intake stores only valid orders, so the object has another origin or the pipeline
            // has changed.
            Err(rejection) => {
                return parked(
                    "order",
                    &format!(
                        "{}: the object is not a valid order of this pipeline",
                        rejection.code
                    ),
                );
            }
        };
        // Otherwise the same order could be stored under two names and processed twice.
        if named.is_some_and(|key| key != Some(&*run.info.key)) {
            return parked("order", "the name of the object does not match the key of the order");
        }
        let done_note = Arc::new(self.done_note(place));
        self.prepare(&mut run, &done_note);
        loop {
            let progress = advance(&mut run, &self.world).await;
            if progress.conflicted
                && let Ok(again) = begin()
            {
                // Another run changed data that this run had read, so the run starts again. Effects
                // that are already done are not repeated.
                run = again;
                self.prepare(&mut run, &done_note);
                continue;
            }
            match (progress.state, progress.until) {
                (RunState::Completed, _) => {
                    self.log_caught(place, &run);
                    return self.write_done_note(&run, &done_note).await;
                }
                (RunState::InProgress, _) => {}
                (RunState::Waiting, Some(until)) if until < deadline => {
                    let wait = until.duration_since(self.world.now());
                    let wait = Duration::try_from(wait).unwrap_or_default();
                    // Sleeping cannot fail.
                    let _slept = self.world.clock().sleep(wait).await;
                }
                (RunState::Waiting, _) => {
                    return retry(
                        "timeout",
                        "the next attempt is due after the end of the invocation",
                    );
                }
                (RunState::Parked | RunState::Cancelled, _) => break,
            }
        }
        let failures: Vec<_> = run.scheduler.failures().collect();
        let lasts = failures.iter().any(|(_, failure)| failure.class != Class::Transient);
        let reasons = failures.iter().map(|(step, failure)| format!("{step}: {}", failure.message));
        let reason = reasons.collect::<Vec<_>>().join("; ");
        let causes = run.scheduler.causes();
        if lasts { self::parked(&run.info.key, &causes, &reason) } else { retry(&causes, &reason) }
    }

    /// Restricts the run to the steps of this branch, and attaches the note to the last step.
    fn prepare(&self, run: &mut Run, done_note: &Arc<DoneNote>) {
        run.restrict_to(&self.steps);
        if let Some(last) = self.last {
            run.write_done_note(last, Arc::clone(done_note));
        }
    }

    fn done_note(&self, place: &OrderLocation) -> DoneNote {
        DoneNote { handler: Arc::clone(&self.name), object: Arc::from(place.key.as_str()) }
    }

    /// Notes that the branch is done with a run, unless its last effect has already written the
    /// note.
    async fn write_done_note(&self, run: &Run, done_note: &DoneNote) -> Outcome {
        let state = self.last.and_then(|last| run.scheduler.steps().get(last));
        let Some(branches) = &self.world.branches else { return Outcome::Done };
        if matches!(state, Some(StepState::Succeeded(_))) {
            return Outcome::Done;
        }
        match branches.done(&run.info, done_note).await {
            Ok(()) => Outcome::Done,
            Err(error) => retry(error.cause(), error.message()),
        }
    }

    /// Notes that an order is parked. If this fails, the search for lost orders sends the order
    /// again.
    async fn park(&self, place: &OrderLocation, key: &str, cause: &str, reason: &str) {
        let Some(branches) = &self.world.branches else { return };
        let (pipeline, done_note) = (self.plan.name(), self.done_note(place));
        let noted = branches.parked(pipeline, key, &done_note, cause, reason).await;
        if let Err(error) = noted {
            self.log(
                "warn",
                "could not write the note on a parked order",
                &[("reason", error.message())],
            );
        }
    }

    /// Sends a message to the dead letters, and returns whether it was sent. A message that is
    /// moved back to the branch's queue is processed again.
    async fn send_dead_letter(&self, mut body: Json, cause: &str, reason: &str) -> bool {
        if let Some(body) = body.as_object_mut() {
            let pipeline = &**self.plan.name();
            body.insert(
                "oms".to_owned(),
                json!({ "pipeline": pipeline, "handler": &*self.name, "cause": cause, "reason": reason }),
            );
        }
        match self.dead_letters.send(body.to_string(), Some(cause)).await {
            Ok(()) => true,
            Err(error) => {
                self.log(
                    "error",
                    "could not send a message to the dead letters",
                    &[("reason", error.message())],
                );
                false
            }
        }
    }

    /// Logs the failures that a catch step handled, because the order's note does not contain them.
    fn log_caught(&self, place: &OrderLocation, run: &Run) {
        for (step, failure) in run.scheduler.caught() {
            let fields = [
                ("object", place.key.as_str()),
                ("step", &**step),
                ("cause", failure.cause.as_str()),
                ("reason", failure.message.as_str()),
            ];
            self.log("warn", "a catch step handled a failure", &fields);
        }
    }

    fn log(&self, level: &str, message: &str, fields: &[(&str, &str)]) {
        let who = [("pipeline", &**self.plan.name()), ("handler", &*self.name)];
        log::log_line(level, message, &[&who, fields].concat());
    }
}

fn retry(cause: &str, reason: &str) -> Outcome {
    Outcome::Retry { cause: cause.to_owned(), reason: reason.to_owned() }
}

fn parked(key: &str, cause: &str, reason: &str) -> Outcome {
    let [key, cause, reason] = [key, cause, reason].map(str::to_owned);
    Outcome::Parked { key, cause, reason }
}

/// Returns the name of an order that was not stored by an intake: the name of its object without
/// folders and the `.json` suffix.
fn name_of_object(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.strip_suffix(".json").unwrap_or(name)
}

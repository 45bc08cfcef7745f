//! A branch handler: runs the steps of one branch for each order in an event.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use jiff::{SignedDuration, Timestamp};
use oms_engine::effects::{
    Class, Clock as _, DoneNote, Effects as _, OrderLocation, Orders, Queue, StepError, cause,
};
use oms_engine::plan::{Choreography, ObjectKey, Plan};
use oms_engine::run::{AttemptsMade, Event, Run, RunState, StepState, accept, advance};
use serde_json::{Map, Value as Json, json};

use crate::bundle::BundleError;
use crate::event::{Delivery, Message, Note};
use crate::log;
use crate::rates::Plans;
use crate::world::World;

/// Time reserved at the end of an invocation to report the outcome.
const MARGIN: Duration = Duration::from_millis(1_500);

/// Maximum wait for the next attempt within an invocation. During a longer wait, the message returns
/// to its queue, and the handler processes other orders.
const WAIT_MAX: Duration = Duration::from_secs(1);

/// Initial and maximum delay before a message is delivered again after a failure that no policy of
/// a step covers, such as a database that is not available.
const DELAY: Duration = Duration::from_secs(1);
const DELAY_MAX: Duration = Duration::from_secs(900);

/// Number of deliveries after which a message that was not processed for lack of time is no longer
/// delivered again immediately.
const IMMEDIATE_MAX: u32 = 3;

/// Minimum time for an attempt before the deadline. An attempt that is cut off may leave an effect
/// whose outcome is unknown.
const ATTEMPT_MIN: Duration = Duration::from_secs(10);

/// Age from which the note on an order is read before its first attempt, too. Only older orders can
/// have been cancelled ([`CANCEL_AGE`]). The difference allows for clocks that differ.
///
/// [`CANCEL_AGE`]: oms_engine::effects::CANCEL_AGE
const NOTE_AGE: SignedDuration = SignedDuration::from_secs(30);

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
    queue: Option<Arc<dyn Queue>>,
}

/// The outcome of a branch for one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All steps of the branch are completed.
    Done {
        /// When the order was accepted.
        accepted_at: Timestamp,
    },
    /// A temporary failure. The order must be processed again.
    Retry {
        /// The cause.
        cause: String,
        /// The description of the failure.
        reason: String,
        /// When the next attempt is due. `None` if the failure is not counted as an attempt of a
        /// step. The time then depends on how often the message was delivered.
        due: Option<Timestamp>,
    },
    /// No step runs any more, because an operator has cancelled the order.
    Cancelled,
    /// No step runs any more, because the order was erased.
    Erased,
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
            queue: None,
        })
    }

    /// Uses the exchange rates with which each order was accepted.
    #[must_use]
    pub fn with_rates(self, plans: Plans) -> Self {
        Self { plans: Some(plans), ..self }
    }

    /// Sets the queue to which messages return at the time of their next attempt. Otherwise, they
    /// return after the visibility timeout of the queue.
    #[must_use]
    pub fn with_queue(self, queue: Arc<dyn Queue>) -> Self {
        Self { queue: Some(queue), ..self }
    }

    /// Processes the messages of an event one after the other until the deadline. The response
    /// lists the messages that must be delivered again.
    pub async fn event(&self, messages: &[Message], deadline: Timestamp) -> Json {
        let (mut failed, mut due) = (Vec::new(), Vec::new());
        for message in messages {
            let Some(again) = self.message(message, deadline).await else { continue };
            // Without SQS, the message has no id. `serve_branch` returns an error, so the caller
            // retries the whole event.
            failed.push(json!({ "itemIdentifier": message.id.as_deref().unwrap_or_default() }));
            if let Some(Delivery { receipt, .. }) = &message.delivery {
                due.push((receipt.clone(), again));
            }
        }
        self.deliver_again(&due).await;
        json!({ "batchItemFailures": failed })
    }

    /// Sets the times at which messages are delivered again. This comes last, because a message
    /// that becomes visible during the invocation would be processed a second time ("Handling
    /// errors for an SQS event source in Lambda").
    async fn deliver_again(&self, messages: &[(String, Timestamp)]) {
        let Some(queue) = self.queue.as_deref().filter(|_| !messages.is_empty()) else {
            return;
        };
        let now = self.world.now();
        let wait = |due: Timestamp| Duration::try_from(due.duration_since(now)).unwrap_or_default();
        let waits: Vec<(String, Duration)> =
            messages.iter().map(|(receipt, due)| (receipt.clone(), wait(*due))).collect();
        if let Err(error) = queue.deliver_after(&waits).await {
            let reason = [("reason", error.message())];
            self.log("warn", "messages return after the visibility timeout of the queue", &reason);
        }
    }

    /// Processes a message. Returns when the message must be delivered again; `None` if it can be
    /// deleted.
    async fn message(&self, message: &Message, deadline: Timestamp) -> Option<Timestamp> {
        let count = message.delivery.as_ref().map_or(1, |delivery| delivery.count);
        let mut again: Option<Timestamp> = None;
        let mut fail = |due: Timestamp| again = Some(again.map_or(due, |again| again.min(due)));
        for place in &message.places {
            let outcome = self.order(place, deadline, count).await;
            let (level, state, cause, reason) = match &outcome {
                Outcome::Done { .. } => ("info", "completed", "", ""),
                Outcome::Cancelled => ("info", "cancelled", "", ""),
                Outcome::Erased => ("info", "erased", "", ""),
                Outcome::Retry { cause, reason, .. } => {
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
            let mut line = log::line(level, "processed an order", &self.named(&fields));
            line.extend(self.metrics(&outcome));
            log::json(&line.into());
            match outcome {
                Outcome::Done { .. } | Outcome::Cancelled | Outcome::Erased => {}
                Outcome::Retry { due, .. } => fail(due.unwrap_or_else(|| self.after(count))),
                Outcome::Parked { key, cause, reason } => {
                    // Without a note, no command would find the order. Without a dead letter, no
                    // alarm would be raised.
                    let parked = match self.park(place, &key, &cause, &reason).await {
                        Some(true) => {
                            self.send_dead_letter(place.to_message(), &cause, &reason).await
                        }
                        // Another delivery has completed the order.
                        Some(false) => true,
                        None => false,
                    };
                    if !parked {
                        fail(self.after(count));
                    }
                }
            }
        }
        match message.note {
            None => {}
            Some(Note::Test) => self.log("info", "received a test event from S3", &[]),
            Some(Note::Deleted) => self.log("info", "ignored the deletion of an object", &[]),
            Some(Note::Unreadable) => {
                self.log("error", "received a message that is not an S3 notification", &[]);
                let reason = "the message is not an S3 notification";
                if !self.send_dead_letter(json!({}), cause::MESSAGE, reason).await {
                    fail(self.after(count));
                }
            }
        }
        again
    }

    /// Returns when a message that was delivered `count` times is delivered again.
    fn after(&self, count: u32) -> Timestamp {
        let delay = DELAY.saturating_mul(1 << count.saturating_sub(1).min(20)).min(DELAY_MAX);
        let now = self.world.now();
        now.checked_add(delay).unwrap_or(now)
    }

    /// Runs the branch for an order whose message was delivered `count` times.
    pub async fn order(&self, place: &OrderLocation, deadline: Timestamp, count: u32) -> Outcome {
        let left = deadline.duration_since(self.world.now());
        let left = Duration::try_from(left).unwrap_or_default().saturating_sub(MARGIN);
        if left.is_zero() {
            let due = (count <= IMMEDIATE_MAX).then(|| self.world.now());
            let (cause, reason) =
                (cause::TIMEOUT.into(), "no time was left in the invocation".into());
            return Outcome::Retry { cause, reason, due };
        }
        // A panic must not fail the other messages of the event. The runtime would return an error
        // for all of them, and SQS would deliver all of them again.
        let run = AssertUnwindSafe(self.run(place, deadline, count)).catch_unwind();
        match tokio::time::timeout(left, run).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => parked(
                name_of_object(&place.key),
                cause::PANIC,
                "the handler panicked, which is a bug; its log has the details",
            ),
            Err(_) => retry(cause::TIMEOUT, "the order took longer than the invocation allows"),
        }
    }

    async fn run(&self, place: &OrderLocation, deadline: Timestamp, count: u32) -> Outcome {
        let parked = |cause: &str, reason: &str| parked(name_of_object(&place.key), cause, reason);
        let stored = match self.orders.fetch(place).await {
            Ok(Some(stored)) => stored,
            Ok(None) => return parked(cause::NO_OBJECT, "the stored order no longer exists"),
            Err(error) if error.class() == Class::Permanent => {
                return parked(error.cause(), error.message());
            }
            Err(error) => return retry(error.cause(), error.message()),
        };
        let named = self.object.as_ref().map(|object| object.run_key(&place.key));
        let found = named.flatten().unwrap_or_else(|| name_of_object(&place.key));
        let name = stored.name.as_deref().unwrap_or(found);
        let parked = |cause: &str, reason: &str| self::parked(name, cause, reason);
        if stored.is_erased {
            return Outcome::Erased;
        }
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
                    cause::ORDER,
                    &format!(
                        "{}: the object is not a valid order of this pipeline",
                        rejection.code
                    ),
                );
            }
        };
        // Otherwise the same order could be stored under two names and processed twice.
        if named.is_some_and(|key| key != Some(&*run.info.key)) {
            return parked(
                cause::ORDER,
                "the name of the object does not match the key of the order",
            );
        }
        let done_note = Arc::new(self.done_note(place));
        let mut earlier = match self.earlier_attempts(&run, &done_note, count).await {
            Ok(Some(earlier)) => earlier,
            Ok(None) => return Outcome::Cancelled,
            Err(error) => return retry(error.cause(), error.message()),
        };
        self.prepare(&mut run, &done_note, &earlier);
        let mut failed = Vec::new();
        loop {
            let progress = advance(&mut run, &self.world).await;
            if progress.conflicted
                && let Ok(again) = begin()
            {
                // Another run changed data that this run had read, so the run starts again. Effects
                // that are already done are not repeated.
                run = again;
                self.prepare(&mut run, &done_note, &earlier);
                failed.clear();
                continue;
            }
            failed.extend(
                progress.events.into_iter().filter(|event| {
                    matches!(event, Event::Failed { .. } | Event::Rescheduled { .. })
                }),
            );
            match (progress.state, progress.until) {
                (RunState::Completed, _) => {
                    self.log_caught(place, &run);
                    return self.write_done_note(&run, &done_note).await;
                }
                (RunState::InProgress, _) => {}
                (RunState::Waiting, Some(until)) if self.is_soon(until, deadline) => {
                    let wait = until.duration_since(self.world.now());
                    let wait = Duration::try_from(wait).unwrap_or_default();
                    earlier = run.scheduler.attempts_made();
                    // Sleeping cannot fail.
                    let _slept = self.world.clock().sleep(wait).await;
                }
                (RunState::Waiting, until) => {
                    return self.wait(&run, &done_note, &failed, until).await;
                }
                (RunState::Parked | RunState::Cancelled, _) => break,
            }
        }
        Self::failed(&run)
    }

    /// Returns whether to wait for an attempt within the invocation.
    fn is_soon(&self, until: Timestamp, deadline: Timestamp) -> bool {
        let soon = self.world.now().checked_add(WAIT_MAX).unwrap_or(deadline);
        let latest = deadline.checked_sub(ATTEMPT_MIN).unwrap_or(deadline);
        until <= soon && until < latest
    }

    /// Reads the attempts that earlier deliveries of the message have made. Returns `None` if the
    /// order was cancelled.
    async fn earlier_attempts(
        &self,
        run: &Run,
        done_note: &DoneNote,
        count: u32,
    ) -> Result<Option<Vec<AttemptsMade>>, StepError> {
        let age = self.world.now().duration_since(run.info.accepted_at);
        let may_have_note = count > 1 || age > NOTE_AGE;
        let Some(branches) = self.world.branches.as_deref().filter(|_| may_have_note) else {
            return Ok(Some(Vec::new()));
        };
        let note = match branches.noted(self.plan.name(), done_note).await {
            Ok(Some(note)) => note,
            Ok(None) => return Ok(Some(Vec::new())),
            // The row is too large, for example.
            Err(error) if error.class() == Class::Permanent => return Ok(Some(Vec::new())),
            Err(error) => return Err(error),
        };
        // A handler of another version may have written another format. Its attempts do not count.
        let attempts = note.attempts.and_then(|text| serde_json::from_str(&text).ok());
        Ok((note.state != RunState::Cancelled).then(|| attempts.unwrap_or_default()))
    }

    /// Notes the attempts of a run whose next attempt is due later.
    async fn wait(
        &self,
        run: &Run,
        done_note: &DoneNote,
        failed: &[Event],
        until: Option<Timestamp>,
    ) -> Outcome {
        let (mut cause, mut reason) =
            (cause::UNAVAILABLE.to_owned(), "the next attempt is due later".to_owned());
        if let Some((step, failure)) = failed.iter().rev().find_map(|event| match event {
            Event::Failed { step, failure, .. } => Some((step, failure)),
            _ => None,
        }) {
            (cause, reason) = (failure.cause.clone(), format!("{step}: {}", failure.message));
        }
        if let (Some(branches), false) = (&self.world.branches, failed.is_empty()) {
            // The attempts always serialize.
            let made = serde_json::to_string(&run.scheduler.attempts_made()).unwrap_or_default();
            let (pipeline, key) = (self.plan.name(), &run.info.key);
            let noted = branches.waiting(pipeline, key, done_note, (&cause, &reason), &made).await;
            match noted {
                Ok(true) => {}
                Ok(false) => return self.ended_elsewhere(run, done_note).await,
                Err(error) => return retry(error.cause(), error.message()),
            }
        }
        Outcome::Retry { cause, reason, due: until }
    }

    /// Returns the outcome of a run that another delivery has completed, or that an operator has
    /// cancelled, during this delivery.
    async fn ended_elsewhere(&self, run: &Run, done_note: &DoneNote) -> Outcome {
        let Some(branches) = &self.world.branches else { return done(run) };
        match branches.noted(self.plan.name(), done_note).await {
            Ok(Some(note)) if note.state == RunState::Cancelled => Outcome::Cancelled,
            _ => done(run),
        }
    }

    /// Returns the outcome of a run with failed steps.
    fn failed(run: &Run) -> Outcome {
        let failures: Vec<_> = run.scheduler.failures().collect();
        let reasons = failures.iter().map(|(step, failure)| format!("{step}: {}", failure.message));
        let reason = reasons.collect::<Vec<_>>().join("; ");
        let causes = run.scheduler.causes();
        let may_pass = failures.iter().all(|(_, failure)| failure.class == Class::Transient);
        // During a deployment, a table or a permission may be missing for some minutes.
        if may_pass && failures.iter().any(|(_, failure)| failure.cause == cause::ENVIRONMENT) {
            return retry(&causes, &reason);
        }
        parked(&run.info.key, &causes, &reason)
    }

    /// Restricts the run to the steps of this branch, continues earlier attempts, and attaches the
    /// note to the last step.
    fn prepare(&self, run: &mut Run, done_note: &Arc<DoneNote>, earlier: &[AttemptsMade]) {
        run.restrict_to(&self.steps);
        run.scheduler.continue_attempts(earlier, self.world.now());
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
        let Some(branches) = &self.world.branches else { return done(run) };
        if matches!(state, Some(StepState::Succeeded(_))) {
            return done(run);
        }
        match branches.done(&run.info, done_note).await {
            Ok(()) => done(run),
            Err(error) => retry(error.cause(), error.message()),
        }
    }

    /// Notes that an order is parked. Returns `false` if the handler is done with the order, and
    /// `None` if the note could not be written.
    async fn park(
        &self,
        place: &OrderLocation,
        key: &str,
        cause: &str,
        reason: &str,
    ) -> Option<bool> {
        let Some(branches) = &self.world.branches else { return Some(true) };
        let (pipeline, done_note) = (self.plan.name(), self.done_note(place));
        match branches.parked(pipeline, key, &done_note, cause, reason).await {
            Ok(parked) => Some(parked),
            Err(error) => {
                let message = "could not write the note on a parked order";
                self.log("warn", message, &[("reason", error.message())]);
                None
            }
        }
    }

    /// Sends a message to the dead letters, and returns whether it was sent. A message that is
    /// moved back to the branch's queue is processed again.
    async fn send_dead_letter(&self, body: Json, cause: &str, reason: &str) -> bool {
        let body = dead_letter(body, self.plan.name(), &self.name, cause, reason);
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

    /// Returns the metrics of an outcome in the embedded metric format of CloudWatch.
    fn metrics(&self, outcome: &Outcome) -> Map<String, Json> {
        let now = self.world.now();
        let (name, latency) = match outcome {
            Outcome::Cancelled | Outcome::Erased => return Map::new(),
            Outcome::Done { accepted_at } => ("Completed", Some(now.duration_since(*accepted_at))),
            Outcome::Retry { .. } => ("Retried", None),
            Outcome::Parked { .. } => ("Parked", None),
        };
        let count = log::Metric { name, unit: "Count", value: 1 };
        let latency = latency.map(|latency| log::Metric {
            name: "Latency",
            unit: "Milliseconds",
            value: i64::try_from(latency.as_millis()).unwrap_or(i64::MAX),
        });
        let metrics: Vec<log::Metric> = [count].into_iter().chain(latency).collect();
        log::metrics(now, &["pipeline", "handler"], &metrics)
    }

    fn log(&self, level: &str, message: &str, fields: &[(&str, &str)]) {
        log::log_line(level, message, &self.named(fields));
    }

    /// Adds the names of the pipeline and the handler to fields of a log line.
    fn named<'a>(&'a self, fields: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
        let who = [("pipeline", &**self.plan.name()), ("handler", &*self.name)];
        [&who, fields].concat()
    }
}

fn done(run: &Run) -> Outcome {
    Outcome::Done { accepted_at: run.info.accepted_at }
}

/// Returns the outcome of a temporary failure that is not counted as an attempt of a step.
fn retry(cause: &str, reason: &str) -> Outcome {
    Outcome::Retry { cause: cause.to_owned(), reason: reason.to_owned(), due: None }
}

fn parked(key: &str, cause: &str, reason: &str) -> Outcome {
    let [key, cause, reason] = [key, cause, reason].map(str::to_owned);
    Outcome::Parked { key, cause, reason }
}

/// Adds the cause to a dead letter.
pub(crate) fn dead_letter(
    mut body: Json,
    pipeline: &str,
    handler: &str,
    cause: &str,
    reason: &str,
) -> Json {
    if let Some(body) = body.as_object_mut() {
        let why =
            json!({ "pipeline": pipeline, "handler": handler, "cause": cause, "reason": reason });
        body.insert("oms".to_owned(), why);
    }
    body
}

/// Returns the name of an order that was not stored by an intake: the name of its object without
/// folders and the `.json` suffix.
pub(crate) fn name_of_object(key: &str) -> &str {
    let name = key.rsplit('/').next().unwrap_or(key);
    name.strip_suffix(".json").unwrap_or(name)
}

//! The driver: carries out the decisions of the scheduler through the ports and collects the
//! events.

use std::collections::BTreeSet;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;
use oms_core::effects::RunState;
use oms_core::effects::{
    AnswerSlot, Call, Class, DoneNote, Effects, ExternalPorts, OutcomeUnknown, Permit, Reads,
    RunInfo, StepError, cause,
};
use oms_core::value::{Digest, Value};

use super::backoff::wait_before;
use super::decision::Decision;
use super::event::Event;
use super::failure::Failure;
use super::requests;
use super::scheduler::Scheduler;
use crate::plan::{Plan, PlannedStep};
use crate::step::{Effect, OnUnknown, Port, StepContext};

/// A run in memory.
pub struct Run {
    /// Its constant data.
    pub info: Arc<RunInfo>,
    /// Its state.
    pub scheduler: Scheduler,
    /// Claimed attempts with external effects. Their claims are among the events that the driver
    /// returned last. They begin when it is called again.
    pub(super) claimed: Vec<Attempt>,
    /// Attempts that wait until the ends of claimed attempts are durable, or for permission.
    pub(super) next: Vec<Attempt>,
    /// Whether permission for these attempts was refused.
    pub(super) deferred: bool,
    /// The step after which a handler is done with the order, and the note to write then.
    pub(super) done_note: Option<(usize, Arc<DoneNote>)>,
}

/// An attempt that the scheduler has decided on.
pub(super) struct Attempt {
    step: usize,
    call: Call,
    number: u32,
    input: Value,
    /// The permission for an external effect, once granted.
    permit: Option<Permit>,
}

impl Run {
    /// Runs only these steps and leaves the others to other handlers. A handler of a
    /// [branch](crate::plan::Branch) uses it.
    pub fn restrict_to(&mut self, steps: &BTreeSet<usize>) {
        self.scheduler.restrict_to(steps);
    }

    /// Makes the driver write the note that the handler is done with the order, together with the
    /// effect of `step`.
    pub fn write_done_note(&mut self, step: usize, mark: Arc<DoneNote>) {
        self.done_note = Some((step, mark));
    }

    /// Returns whether claimed attempts have not begun. If so, the driver must be called again.
    pub fn has_unstarted_claims(&self) -> bool {
        !self.claimed.is_empty()
    }
}

/// The progress that a call to the driver made.
#[derive(Debug)]
pub struct Progress {
    /// The events, to be made durable together with the writes that the steps staged.
    pub events: Vec<Event>,
    /// The state of the run. A run in progress can continue as soon as the events are durable.
    pub state: RunState,
    /// When a waiting run can continue.
    pub until: Option<Timestamp>,
    /// Whether another run changed a row between a step's read and a dependent write. If so,
    /// discard all of this and resume the run from where it was before.
    pub conflicted: bool,
}

/// Returns the idempotency key of a step, or of one of its elements, in a run. It is the same on
/// every attempt and on every machine.
pub fn idempotency_key(run: &RunInfo, step: &str, element: Option<u32>) -> Arc<str> {
    let element = element.map_or_else(String::new, |element| element.to_string());
    let parts = [run.pipeline.as_bytes(), run.key.as_bytes(), step.as_bytes(), element.as_bytes()];
    Arc::from(Digest::of_parts(parts).short())
}

/// Returns the idempotency key of a request to a service, after the service has refused requests
/// with `used` earlier keys.
fn request_key(key: &Arc<str>, used: u32) -> Arc<str> {
    match used {
        0 => Arc::clone(key),
        _ => Arc::from(Digest::of_parts([key.as_bytes(), &used.to_be_bytes()]).short()),
    }
}

/// Returns the caller for a step or one of its elements.
pub(super) fn call(
    run: &Arc<RunInfo>,
    planned: &PlannedStep,
    element: Option<u32>,
    reads: &Arc<Reads>,
) -> Call {
    let key = idempotency_key(run, &planned.id, element);
    let request_key = Arc::clone(&key);
    let again = planned.on_unknown() == Some(OnUnknown::Resend);
    let (run, step) = (Arc::clone(run), Arc::clone(&planned.id));
    let (outcome_unknown, reads) = (OutcomeUnknown::default(), Arc::clone(reads));
    Call {
        run,
        step,
        element,
        attempt: 1,
        key,
        may_resend: again,
        outcome_unknown,
        request_key,
        answer: AnswerSlot::default(),
        reads,
        done_note: None,
    }
}

struct EndedAttempt {
    call: Call,
    attempt: u32,
    micros: u64,
    at: Timestamp,
    result: Result<Value, StepError>,
    step: usize,
    /// Whether the attempt read an answer that was stored before.
    has_stored_answer: bool,
}

/// Runs every step that can run now and every step that follows, until the run ends, has to wait,
/// or must be made durable before it continues.
///
/// An attempt with an external effect ([`Effects::external_ports`]) begins in the call after the one that
/// returned its [`Event::Claimed`]. That call runs nothing else, so the end of the attempt is
/// durable before any later step can block another run. An attempt is claimed only when it has
/// permission to start immediately. Earlier events do not wait for the permission.
pub async fn advance(run: &mut Run, effects: &dyn Effects) -> Progress {
    let plan = Arc::clone(run.scheduler.plan());
    let external = effects.external_ports();
    let begins_nothing = !run.claimed.is_empty();
    let mut stretch = Stretch::new(&plan);
    let mut running = FuturesUnordered::new();
    for attempt in std::mem::take(&mut run.claimed) {
        if let Some(planned) = plan.steps().get(attempt.step) {
            running.push(attempt_step(planned, attempt, true, effects));
        }
    }
    let mut decided = std::mem::take(&mut run.next);
    loop {
        let now = effects.clock().now();
        let decisions = run.scheduler.next(now);
        let mut end = None;
        for decision in decisions {
            end = stretch.execute(decision, run, &mut decided, now).or(end);
        }
        if let Some((state, until)) = end {
            return stretch.progress(state, until);
        }
        for attempt in decided.drain(..) {
            let Some(planned) = plan.steps().get(attempt.step) else { continue };
            if begins_nothing {
                stretch.next.push(attempt);
            } else if must_be_claimed(planned, &attempt.call, external) {
                stretch.to_claim.push(attempt);
            } else {
                running.push(attempt_step(planned, attempt, false, effects));
            }
        }
        match running.next().await {
            Some(ended) => finish_attempt(run, &mut stretch.events, ended, effects),
            None if stretch.to_claim.is_empty() && stretch.next.is_empty() => {}
            None => {
                stretch.claim(run, effects).await;
                return stretch.progress(RunState::InProgress, None);
            }
        }
    }
}

/// Treats attempts with an unknown outcome as completed (`oms runs retry --held sent`). Their steps
/// run on effects that send nothing, only to compute their outputs. The events belong in the same
/// commit as the event that reopened the run.
///
/// # Errors
/// Returns an error if a step cannot compute its output. Discard all effects and events then.
pub async fn assume_done(
    run: &mut Run,
    effects: &dyn Effects,
    held: &BTreeSet<(Arc<str>, Option<u32>)>,
) -> Result<Vec<Event>, StepError> {
    let plan = Arc::clone(run.scheduler.plan());
    let mut events = Vec::new();
    for (id, element) in held {
        let unplanned = || StepError::permanent(cause::PLAN, format!("unknown step `{id}`"));
        let step = plan.step(id).ok_or_else(unplanned)?;
        let planned = plan.steps().get(step).ok_or_else(unplanned)?;
        let has_element = |element: u32| {
            run.scheduler.items(step).is_some_and(|items| items.len() > element as usize)
        };
        if !element.is_none_or(has_element) {
            return Err(StepError::permanent(
                cause::PLAN,
                format!("the list of `{id}` has changed"),
            ));
        }
        let input = run.scheduler.input_of(step, *element).map_err(|error| {
            StepError::permanent(cause::OUT_OF_RANGE, "cannot compute the step's input")
                .caused_by(error)
        })?;
        let reads = Arc::new(Reads::new(Arc::clone(plan.contended_tables())));
        let call = call(&run.info, planned, *element, &reads);
        let cx = StepContext { effects, call: &call };
        let output = planned.step.run(&cx, input).await?;
        effects.finish_attempt(&call, true);
        let (at, step) = (effects.clock().now(), Arc::clone(id));
        let (element, attempt, micros) = (*element, 1, 0);
        let event = Event::Succeeded { step, element, attempt, at, micros, output };
        run.scheduler.apply(&event).map_err(|error| {
            StepError::permanent(cause::PLAN, format!("`{id}` cannot run now")).caused_by(error)
        })?;
        events.push(event);
    }
    Ok(events)
}

/// The intermediate result of one call of the driver.
struct Stretch {
    events: Vec<Event>,
    reads: Arc<Reads>,
    /// Attempts that must be claimed.
    to_claim: Vec<Attempt>,
    next: Vec<Attempt>,
}

impl Stretch {
    fn new(plan: &Plan) -> Self {
        let reads = Arc::new(Reads::new(Arc::clone(plan.contended_tables())));
        Self { events: Vec::new(), reads, to_claim: Vec::new(), next: Vec::new() }
    }

    fn progress(self, state: RunState, until: Option<Timestamp>) -> Progress {
        Progress { events: self.events, state, until, conflicted: self.reads.is_rejected() }
    }

    /// Carries out a decision. If the run ends or has to wait, returns its state and the time until
    /// which it waits.
    fn execute(
        &mut self,
        decision: Decision,
        run: &mut Run,
        decided: &mut Vec<Attempt>,
        now: Timestamp,
    ) -> Option<(RunState, Option<Timestamp>)> {
        let plan = Arc::clone(run.scheduler.plan());
        let id = |step: usize| plan.steps().get(step).map(|planned| Arc::clone(&planned.id));
        match decision {
            Decision::Start { step, element, attempt: number, input } => {
                let mut call = call(&run.info, plan.steps().get(step)?, element, &self.reads);
                let marks = run.done_note.as_ref().filter(|(marks, _)| *marks == step);
                call.done_note = marks.map(|(_, mark)| Arc::clone(mark));
                call.attempt = number;
                let requests = &run.scheduler.requests;
                call.request_key = request_key(&call.key, requests.keys_used(step, element));
                call.answer = AnswerSlot::of(requests.answer(step, element));
                decided.push(Attempt { step, call, number, input, permit: None });
            }
            Decision::Skip { step, reason } => {
                let step = id(step)?;
                record(run, &mut self.events, Event::Skipped { step, at: now, reason });
            }
            Decision::Succeed { step, output } => {
                let (step, element, attempt, micros) = (id(step)?, None, 1, 0);
                let event = Event::Succeeded { step, element, attempt, at: now, micros, output };
                record(run, &mut self.events, event);
            }
            Decision::Fail { step, element, attempt, failure } => {
                let (step, micros, retry_at) = (id(step)?, 0, None);
                let event =
                    Event::Failed { step, element, attempt, at: now, micros, failure, retry_at };
                record(run, &mut self.events, event);
            }
            Decision::Reschedule { step, element, attempts, until } => {
                let (step, retry_at) = (id(step)?, until);
                let event = Event::Rescheduled { step, element, attempts, at: now, retry_at };
                record(run, &mut self.events, event);
            }
            Decision::ReadAgain { steps } => {
                let steps = steps.into_iter().filter_map(id).collect();
                record(run, &mut self.events, Event::ReadAgain { steps, at: now });
            }
            Decision::WaitUntil(until) => return Some((RunState::Waiting, Some(until))),
            Decision::Finish(state) => return Some((state, None)),
        }
        None
    }

    /// Claims the attempts that have permission and keeps the others for the next call. It waits
    /// for permission only in a second call, when everything before is durable, and only for the
    /// first attempt. This way, no run waits while it holds a permission that others wait for.
    async fn claim(&mut self, run: &mut Run, effects: &dyn Effects) {
        let may_wait = std::mem::take(&mut run.deferred);
        let plan = Arc::clone(run.scheduler.plan());
        for mut attempt in std::mem::take(&mut self.to_claim) {
            let limited = |planned: &PlannedStep| {
                let mut limited = planned.effects.iter();
                limited.find(|effect| matches!(effect.port, Port::Mail | Port::Services)).cloned()
            };
            let effect = plan.steps().get(attempt.step).and_then(limited);
            let is_request = effect.as_ref().is_some_and(|effect| effect.port == Port::Services);
            if let Some(effect) = effect {
                let wait = may_wait && run.claimed.is_empty();
                let permit = acquire_permit(&effect, effects, wait, run.scheduler.due()).await;
                if permit.is_none() {
                    self.next.push(attempt);
                    continue;
                }
                attempt.permit = permit;
            }
            let Call { step, element, .. } = attempt.call.clone();
            let at = effects.clock().now();
            let request = is_request.then(|| requests::digest(&attempt.input));
            let event = Event::Claimed { step, element, attempt: attempt.number, at, request };
            record(run, &mut self.events, event);
            run.claimed.push(attempt);
        }
        run.next = std::mem::take(&mut self.next);
        run.deferred = run.claimed.is_empty();
    }
}

/// Requests permission to send an e-mail or a request. Stops waiting when another attempt of the
/// run is due.
async fn acquire_permit(
    effect: &Effect,
    effects: &dyn Effects,
    wait: bool,
    due: Option<Timestamp>,
) -> Option<Permit> {
    let admission = match effect.port {
        Port::Services => effects.services().acquire_permit(&effect.resource, wait),
        _ => effects.mail().acquire_permit(wait),
    };
    let Some(due) = due else { return admission.await };
    let left = due.duration_since(effects.clock().now());
    let left = std::time::Duration::try_from(left).unwrap_or_default();
    match select(admission, effects.clock().sleep(left)).await {
        Either::Left((permit, _)) => permit,
        Either::Right(_) => None,
    }
}

/// Returns whether an attempt has an external effect that is not safe to repeat, or calls a service.
/// An attempt that reads a stored answer has no effect.
fn must_be_claimed(planned: &PlannedStep, call: &Call, external: ExternalPorts) -> bool {
    planned.effects.iter().any(|effect| match effect.port {
        Port::Mail => external.mail && effect.on_unknown().is_some(),
        Port::Custom => external.custom && effect.on_unknown().is_some(),
        Port::Services => external.services && call.answer.get().is_none(),
        Port::Objects | Port::Topics | Port::Tables => false,
    })
}

/// Applies an event and adds it to the list.
fn record(run: &mut Run, events: &mut Vec<Event>, event: Event) {
    // The scheduler has just decided it, so it is legal. An illegal event would make the journal
    // unreadable.
    match run.scheduler.apply(&event) {
        Ok(()) => events.push(event),
        Err(error) => unreachable!("the scheduler rejected its own decision: {error}"),
    }
}

async fn attempt_step(
    planned: &PlannedStep,
    attempt: Attempt,
    claimed: bool,
    effects: &dyn Effects,
) -> EndedAttempt {
    let Attempt { step, call, number: attempt, input, permit } = attempt;
    // The outcome is unknown by default. A port clears this if it knows that nothing has happened.
    if claimed && planned.on_unknown().is_some() {
        call.outcome_unknown.set();
    }
    let has_stored_answer = call.answer.get().is_some();
    let begun = effects.clock().now();
    let cx = StepContext { effects, call: &call };
    let ended = {
        // A panic is a bug, but it must not stop the other runs.
        let work = AssertUnwindSafe(async { planned.step.run(&cx, input).await });
        let work = pin!(work.catch_unwind());
        match planned.timeout {
            None => Some(work.await),
            Some(limit) => match select(work, effects.clock().sleep(limit)).await {
                Either::Left((ended, _)) => Some(ended),
                Either::Right(_) => None,
            },
        }
    };
    let failed = |error: StepError| match call.outcome_unknown.is_set() {
        true => Err(StepError::unknown(error.message())),
        false => Err(error),
    };
    let result = match (ended, planned.timeout) {
        (Some(Ok(result)), _) => result,
        (None, Some(limit)) => {
            let message =
                format!("the attempt exceeded its timeout of {} seconds", limit.as_secs());
            failed(StepError::transient(cause::TIMEOUT, message))
        }
        (Some(Err(_)) | None, _) => {
            let message = "the step panicked; this is a bug in its kind";
            failed(StepError::permanent(cause::PANIC, message))
        }
    };
    drop(permit);
    let at = effects.clock().now();
    let micros = u64::try_from(at.duration_since(begun).as_micros()).unwrap_or(0);
    EndedAttempt { call, attempt, micros, at, result, step, has_stored_answer }
}

fn finish_attempt(
    run: &mut Run,
    events: &mut Vec<Event>,
    ended: EndedAttempt,
    effects: &dyn Effects,
) {
    let EndedAttempt { call, attempt, micros, at, result, step, has_stored_answer } = ended;
    effects.finish_attempt(&call, result.is_ok());
    let Call { step: id, element, .. } = call;
    if let Some(answer) = call.answer.get().filter(|_| !has_stored_answer) {
        let step = Arc::clone(&id);
        record(run, events, Event::Answered { step, element, at, answer });
    }
    let event = match result {
        Ok(output) => Event::Succeeded { step: id, element, attempt, at, micros, output },
        Err(error) => {
            if let Some(wait) = error.postponed_for() {
                let (attempts, retry_at) = (attempt - 1, at.checked_add(wait).unwrap_or(at));
                let event = Event::Rescheduled { step: id, element, attempts, at, retry_at };
                return record(run, events, event);
            }
            let retry_at = run.scheduler.plan().steps().get(step).and_then(|planned| {
                let random = effects.random().next();
                let class = match (error.class(), planned.on_unknown()) {
                    (Class::Unknown, Some(OnUnknown::Resend)) => Class::Transient,
                    (class, _) => class,
                };
                let retry = Some(&planned.retry).filter(|retry| retry.is_for(error.cause()))?;
                let wait = wait_before(retry, class, attempt, random)?;
                let wait = error.min_wait().map_or(wait, |min| wait.max(min));
                at.checked_add(wait).ok()
            });
            Event::Failed {
                step: id,
                element,
                attempt,
                at,
                micros,
                failure: Failure::from(&error),
                retry_at,
            }
        }
    };
    record(run, events, event);
}

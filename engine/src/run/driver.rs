//! The driver: carries out what the scheduler decides, through the ports, and collects the events.

use std::sync::Arc;

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;

use super::event::Event;
use super::failure::Failure;
use super::retry::wait_before;
use super::scheduler::{Decision, Scheduler};
use super::state::RunState;
use crate::effects::{Call, Effects, RunInfo, StepError, cause};
use crate::plan::PlannedStep;
use crate::step::StepContext;
use crate::value::{Digest, Value};

/// A run under way.
pub struct Run {
    /// What is fixed about it.
    pub info: Arc<RunInfo>,
    /// The digest of the order, by which the same order is recognised.
    pub digest: Digest,
    /// Its state.
    pub scheduler: Scheduler,
}

/// How far a driver came.
#[derive(Debug)]
pub struct Progress {
    /// What happened, to be made durable together with what the steps staged.
    pub events: Vec<Event>,
    /// How far the run is now.
    pub state: RunState,
    /// When it can go on, if it waits.
    pub until: Option<Timestamp>,
}

/// Returns the idempotency key of a step, or of one of its elements, in a run. It is the same on every attempt, on every machine.
fn idempotency_key(run: &RunInfo, step: &str, element: Option<u32>) -> Arc<str> {
    let element = element.map_or_else(String::new, |element| element.to_string());
    let parts = [run.pipeline.as_bytes(), run.key.as_bytes(), step.as_bytes(), element.as_bytes()];
    Arc::from(Digest::of_parts(parts).short())
}

/// Returns who calls when a step, or one of its elements, runs.
pub(super) fn call(run: &Arc<RunInfo>, step: &Arc<str>, element: Option<u32>) -> Call {
    let key = idempotency_key(run, step, element);
    Call { run: Arc::clone(run), step: Arc::clone(step), element, key }
}

struct Ended {
    call: Call,
    attempt: u32,
    micros: u64,
    at: Timestamp,
    result: Result<Value, StepError>,
    step: usize,
}

/// Runs everything that can go on now, and what follows from it, until the run ends or has to wait.
pub async fn advance(run: &mut Run, effects: &dyn Effects) -> Progress {
    let plan = Arc::clone(run.scheduler.plan());
    let mut events: Vec<Event> = Vec::with_capacity(plan.steps().len());
    let mut running = FuturesUnordered::new();
    loop {
        let now = effects.clock().now();
        for decision in run.scheduler.next(now) {
            match decision {
                Decision::Start { step, element, attempt, input } => {
                    let Some(planned) = plan.steps().get(step) else { continue };
                    let call = call(&run.info, &planned.id, element);
                    running.push(attempt_step(
                        Attempt { planned, step, call, attempt, input, begun: now },
                        effects,
                    ));
                }
                Decision::Skip { step, reason } => {
                    if let Some(planned) = plan.steps().get(step) {
                        let step = Arc::clone(&planned.id);
                        note(run, &mut events, Event::Skipped { step, at: now, reason });
                    }
                }
                Decision::Succeed { step, output } => {
                    if let Some(planned) = plan.steps().get(step) {
                        let step = Arc::clone(&planned.id);
                        let event = Event::Succeeded {
                            step,
                            element: None,
                            attempt: 1,
                            at: now,
                            micros: 0,
                            output,
                        };
                        note(run, &mut events, event);
                    }
                }
                Decision::Fail { step, element, failure } => {
                    if let Some(planned) = plan.steps().get(step) {
                        let step = Arc::clone(&planned.id);
                        let event = Event::Failed {
                            step,
                            element,
                            attempt: 1,
                            at: now,
                            micros: 0,
                            failure,
                            retry_at: None,
                        };
                        note(run, &mut events, event);
                    }
                }
                Decision::WaitUntil(until) => {
                    return Progress { events, state: RunState::Waiting, until: Some(until) };
                }
                Decision::Finish(state) => return Progress { events, state, until: None },
            }
        }
        if let Some(ended) = running.next().await {
            settle(run, &mut events, ended, effects);
        }
    }
}

/// Applies an event and keeps it.
fn note(run: &mut Run, events: &mut Vec<Event>, event: Event) {
    // The scheduler decided it a moment ago, so it is legal; keeping an illegal event would make the journal unreadable.
    match run.scheduler.apply(&event) {
        Ok(()) => events.push(event),
        Err(error) => unreachable!("the scheduler refused its own decision: {error}"),
    }
}

struct Attempt<'a> {
    planned: &'a PlannedStep,
    step: usize,
    call: Call,
    attempt: u32,
    input: Value,
    begun: Timestamp,
}

async fn attempt_step(attempt: Attempt<'_>, effects: &dyn Effects) -> Ended {
    let Attempt { planned, step, call, attempt, input, begun } = attempt;
    let cx = StepContext { effects, call: &call };
    let work = planned.step.run(&cx, input);
    let result = match planned.timeout {
        None => work.await,
        Some(limit) => match select(work, effects.clock().sleep(limit)).await {
            Either::Left((result, _)) => result,
            Either::Right(_) => Err(StepError::transient(
                cause::TIMEOUT,
                format!("the attempt took longer than {} seconds", limit.as_secs()),
            )),
        },
    };
    let at = effects.clock().now();
    let micros = u64::try_from(at.duration_since(begun).as_micros()).unwrap_or(0);
    Ended { call, attempt, micros, at, result, step }
}

fn settle(run: &mut Run, events: &mut Vec<Event>, ended: Ended, effects: &dyn Effects) {
    let Ended { call, attempt, micros, at, result, step } = ended;
    effects.settle(&call, result.is_ok());
    let Call { step: id, element, .. } = call;
    let event = match result {
        Ok(output) => Event::Succeeded { step: id, element, attempt, at, micros, output },
        Err(error) => {
            let retry_at = run.scheduler.plan().steps().get(step).and_then(|planned| {
                let random = effects.random().next();
                let wait = wait_before(&planned.retry, error.class(), attempt, random)?;
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
    note(run, events, event);
}

//! Retries runs on the current version of the pipeline.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::effects::Class;
use oms_engine::plan::Plan;
use oms_engine::run::{ElementState, Event, Run, RunState, StepState, assume_done};
use oms_engine::step::Port;
use oms_sqlite::{Error, Outcome, RunRef, RunRow, StoredRun};
use serde::{Deserialize, Serialize};

use crate::admission::Settled;
use crate::run::driver::StretchStart;
use crate::run::journal::{events, resume_to};
use crate::run::refusals::Refusals;
use crate::run::stage::Stage;
use crate::runner::Runner;

/// Why a run was not retried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRetried {
    /// The pipeline has changed, and the run cannot continue with the new version.
    #[error("`{key}` cannot continue with the current pipeline: {difference}")]
    Incompatible {
        /// The order's key.
        key: String,
        /// The difference, as text.
        difference: String,
    },
    /// The stored data of the run is damaged.
    #[error(
        "`{key}` cannot be retried: {why}; cancel the run with `oms runs cancel`, or restore a backup with `oms db restore`"
    )]
    Damaged {
        /// The order's key.
        key: String,
        /// The reason.
        why: String,
    },
    /// The outcome of a step other than an e-mail is unknown.
    #[error(
        "`{key}` is held: `{step}` sends no e-mail, so it cannot be marked as sent; use `--held resend` to run it again"
    )]
    NotMail {
        /// The order's key.
        key: String,
        /// The step's id.
        step: String,
    },
    /// The run has nothing to retry.
    #[error("`{key}` is {state}: only runs that are parked, waiting, or completed with a caught failure can be retried", state = .state.as_str())]
    State {
        /// The order's key.
        key: String,
        /// The run's state.
        state: RunState,
    },
    /// Another task is working on the run.
    #[error("`{0}` is in progress; try again")]
    UnderWay(String),
    /// The outcome of a step is unknown, and a person has to decide.
    #[error(
        "`{key}` is held: the outcome of `{step}` is unknown; use `--held resend` to run it again, or `--held sent` if its e-mail was sent"
    )]
    Held {
        /// The order's key.
        key: String,
        /// The step's id.
        step: String,
    },
}

/// A person's decision about steps with an unknown outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Their e-mails were sent.
    Sent,
    /// Run the steps again.
    Resend,
}

impl Runner {
    /// Retries a run: its failed steps, including those whose failure was caught, and the steps
    /// that were skipped because of them. A step that waits for its next attempt runs now.
    /// Completed steps stay completed, including catch steps. The run moves to the current version
    /// of the pipeline and to its rates, if the ids, kinds and output types of the completed steps
    /// agree. Steps with an unknown outcome are repeated or marked as done only according to
    /// `held`.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn retry(
        &self,
        row: &RunRow,
        held: Option<Held>,
    ) -> Result<Result<Settled, NotRetried>, Error> {
        let Some(_lock) = self.run_locks.try_lock(row.id) else {
            return Ok(Err(NotRetried::UnderWay(row.key.clone())));
        };
        let mut refusals = Refusals::default();
        loop {
            let Retry { mut run, mut start, unknown } = match self.prepare(row, held)? {
                Ok(retry) => retry,
                Err(refused) => return Ok(Err(refused)),
            };
            start.refusals = refusals;
            if held == Some(Held::Sent) {
                // The e-mails and the decision are committed together, so that either both are
                // durable or neither is.
                let stage = Stage::keeping(&self.driver, &start);
                match assume_done(&mut run, &stage, &unknown).await {
                    Ok(events) => start.events.extend(events),
                    Err(error) => return Ok(Err(incompatible(row, &error))),
                }
                (start.writes, _) = stage.take();
            }
            let key = Arc::clone(&run.info.key);
            let (outcome, end) = self.driver.advance(&mut run, &mut start).await?;
            if outcome == Outcome::Refused {
                refusals = start.refusals;
                continue;
            }
            let (state, cause, caught) = (end.state, end.cause, end.caught);
            return Ok(Ok(Settled::Run { key, resumed: true, state, cause, caught }));
        }
    }

    /// Prepares the retry of a run on the current version of the pipeline.
    fn prepare(
        &self,
        row: &RunRow,
        held: Option<Held>,
    ) -> Result<Result<Retry, NotRetried>, Error> {
        let (current, bundle) = self.current();
        let (stored, before) = match self.driver.load_whole(row.id) {
            Ok(loaded) => loaded,
            Err(error) if error.parks().is_some() => {
                let (key, why) = (row.key.clone(), reason(error));
                return Ok(Err(NotRetried::Damaged { key, why }));
            }
            Err(error) => return Err(error),
        };
        let old = Arc::clone(before.scheduler.plan());
        if !stored.row.can_be_retried() {
            let (key, state) = (row.key.clone(), stored.row.state);
            return Ok(Err(NotRetried::State { key, state }));
        }
        let unknown = before.scheduler.unknown_outcomes();
        let mut unknown: BTreeSet<_> = unknown.map(|(step, at)| (Arc::clone(step), at)).collect();
        if let (Some((step, _)), None) = (unknown.first(), held) {
            let (key, step) = (row.key.clone(), step.to_string());
            return Ok(Err(NotRetried::Held { key, step }));
        }
        let gone = unknown.iter().find(|(step, _)| current.step(step).is_none());
        if let (Some((step, _)), Some(Held::Sent)) = (gone, held) {
            return Ok(Err(incompatible(row, &missing("the step", step))));
        }
        unknown.retain(|(step, _)| current.step(step).is_some());
        if let (Some((step, _)), Some(Held::Sent)) =
            (unknown.iter().find(|(step, _)| !is_mail(&current, step)), held)
        {
            let (key, step) = (row.key.clone(), step.to_string());
            return Ok(Err(NotRetried::NotMail { key, step }));
        }
        let at = self.now();
        let revived = if stored.row.bundle == bundle {
            let (mut run, retried) = (before, Event::Retried { at, done: None });
            run.scheduler
                .apply(&retried)
                .map(|()| (run, retried))
                .map_err(|error| error.to_string())
        } else {
            moved(&stored, (&old, &before), &current, at)
        };
        let (run, retried) = match revived {
            Ok(revived) => revived,
            Err(difference) => return Ok(Err(incompatible(row, &difference))),
        };
        let reference = RunRef::Known { id: row.id };
        let start = StretchStart { events: vec![retried], ..StretchStart::new(reference, bundle) };
        Ok(Ok(Retry { run, start, unknown }))
    }
}

/// A run that is ready to be retried.
struct Retry {
    run: Run,
    start: StretchStart,
    /// The attempts with an unknown outcome.
    unknown: BTreeSet<(Arc<str>, Option<u32>)>,
}

fn incompatible(row: &RunRow, difference: &dyn std::fmt::Display) -> NotRetried {
    NotRetried::Incompatible { key: row.key.clone(), difference: difference.to_string() }
}

/// Moves a run to the current version of the pipeline. Returns the run and the event that records
/// the move, or the reason why the run cannot move.
fn moved(
    stored: &StoredRun,
    (old, before): (&Plan, &Run),
    current: &Arc<Plan>,
    at: Timestamp,
) -> Result<(Run, Event), String> {
    agree(old, current, before)?;
    fits(old, current, &before.info.body)?;
    let states = before.scheduler.steps().iter().zip(old.steps());
    let done = states.filter(|(state, _)| matches!(state, StepState::Succeeded(_)));
    let done = done.map(|(_, planned)| Arc::clone(&planned.id)).collect();
    let retried = Event::Retried { at, done: Some(done) };
    let mut all = events(stored, current).map_err(reason)?;
    all.push(retried.clone());
    let run = resume_to(stored, current, &all).map_err(reason)?;
    lists_agree(old, before, &run)?;
    Ok((run, retried))
}

/// Checks an order against the current schema, unless it was accepted under the same schema.
fn fits(old: &Plan, new: &Plan, order: &[u8]) -> Result<(), String> {
    if old.order().schema().source() == new.order().schema().source() {
        return Ok(());
    }
    let Err(problems) = new.order().schema().read(order) else { return Ok(()) };
    let problems = problems.iter().map(|problem| match problem.pointer.as_str() {
        "" => format!("it {}", problem.message),
        pointer => format!("{pointer} {}", problem.message),
    });
    let problems: Vec<String> = problems.collect();
    Err(format!(
        "the order does not match the changed order schema: {}; change the schema so that it allows this order",
        problems.join(", ")
    ))
}

/// Returns why a journal does not fit the plan, without the run's key.
fn reason(error: Error) -> String {
    match error {
        Error::Damaged { why, .. } => why,
        error => error.to_string(),
    }
}

/// Returns whether a step only sends an e-mail.
fn is_mail(plan: &Plan, step: &str) -> bool {
    let planned = plan.step(step).and_then(|at| plan.steps().get(at));
    planned.is_some_and(|planned| planned.effects.iter().all(|effect| effect.port == Port::Mail))
}

fn missing(what: &str, step: &str) -> String {
    format!("{what} `{step}` has succeeded, but the pipeline no longer contains it; add it again")
}

/// Checks that the completed steps of a run have the same meaning in both plans. Steps that never
/// succeeded may differ or be missing. Outputs may have new nullable members.
fn agree(old: &Plan, new: &Plan, run: &Run) -> Result<(), String> {
    for (state, was) in run.scheduler.steps().iter().zip(old.steps()) {
        let done = matches!(state, StepState::Succeeded(_));
        if !done && !has_done_elements(state) {
            continue;
        }
        let Some(is) = new.step(&was.id).and_then(|at| new.steps().get(at)) else {
            let what = if done { "the step" } else { "a part of the step" };
            return Err(missing(what, &was.id));
        };
        if is.kind != was.kind {
            return Err(format!(
                "the kind of `{}` has changed from `{}` to `{}`",
                was.id, was.kind, is.kind
            ));
        }
        if is.for_each.is_some() != was.for_each.is_some() {
            return Err(format!(
                "the step `{}` has `for_each` in only one of the two versions",
                was.id
            ));
        }
        if !is.output.accepts_values_of(&was.output) {
            return Err(format!("the output type of `{}` has changed", was.id));
        }
    }
    Ok(())
}

/// Checks that steps with some completed elements run over the same list as before.
fn lists_agree(old: &Plan, before: &Run, after: &Run) -> Result<(), String> {
    for (at, (state, was)) in before.scheduler.steps().iter().zip(old.steps()).enumerate() {
        let Some(is) = after.scheduler.plan().step(&was.id) else { continue };
        if has_done_elements(state) && before.scheduler.items(at) != after.scheduler.items(is) {
            return Err(format!(
                "the list of `{}` has changed, and some of its elements are completed",
                was.id
            ));
        }
    }
    Ok(())
}

/// Returns whether a step that has not succeeded has elements that are completed or have an unknown
/// outcome.
fn has_done_elements(state: &StepState) -> bool {
    let elements = match state {
        StepState::Failed { elements, .. } => elements.as_slice(),
        StepState::Each { elements, .. } => elements.states(),
        _ => return false,
    };
    elements.iter().any(|element| match element {
        ElementState::Succeeded(_) => true,
        ElementState::Failed(failure) => failure.class == Class::Unknown,
        _ => false,
    })
}

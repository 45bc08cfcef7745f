//! Trying runs again, on the current pipeline.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::effects::Class;
use oms_engine::plan::Plan;
use oms_engine::run::{ElementState, Event, Run, RunState, StepState, take_as_done};
use oms_engine::step::Port;
use oms_sqlite::{Error, Outcome, RunRef, RunRow, StoredRun};
use serde::{Deserialize, Serialize};

use crate::admission::Settled;
use crate::run::driver::Begun;
use crate::run::journal::{events, resume_to};
use crate::run::refusals::Refusals;
use crate::run::stage::Stage;
use crate::runner::Runner;

/// Why a run is not tried again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRetried {
    /// The pipeline has become another one.
    #[error("`{key}` cannot go on with the pipeline as it is now: {difference}")]
    Incompatible {
        /// The order's key.
        key: String,
        /// What differs, in words.
        difference: String,
    },
    /// Its stored data is damaged.
    #[error(
        "`{key}` cannot be retried: {why}; cancel the run with `oms runs cancel`, or restore a backup with `oms db restore`"
    )]
    Damaged {
        /// The order's key.
        key: String,
        /// Why.
        why: String,
    },
    /// It is not a mail whose outcome is not known.
    #[error(
        "`{key}` is held: `{step}` is no mail, so that nothing can be taken as sent; `--held resend` does it again"
    )]
    NotMail {
        /// The order's key.
        key: String,
        /// The step.
        step: String,
    },
    /// There is nothing to try again.
    #[error("`{key}` is {state}: only runs that are parked, waiting or completed with a caught failure can be retried", state = .state.as_str())]
    State {
        /// The order's key.
        key: String,
        /// How far it is.
        state: RunState,
    },
    /// It is worked on at this moment.
    #[error("`{0}` is in progress; try again")]
    UnderWay(String),
    /// Only a person can tell whether something was done.
    #[error(
        "`{key}` is held: it is not known whether `{step}` did what it was to do; `--held sent` takes it as done, `--held resend` does it again"
    )]
    Held {
        /// The order's key.
        key: String,
        /// The step.
        step: String,
    },
}

/// What a person says about steps of which it is not known whether they did what they were to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Held {
    /// Their mails were sent.
    Sent,
    /// They are to be run again.
    Resend,
}

impl Runner {
    /// Tries a run again: what failed, also if that was caught, and what was skipped because of it; what waits for its next attempt is
    /// tried now. Steps that are done stay done, catch steps included. The run goes over to the current pipeline and rates if the
    /// completed steps' ids, kinds and output types agree. What may have been done already is only done again, or taken as done, if
    /// `held` says so.
    ///
    /// # Errors
    /// When the database fails.
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
            let Retry { mut run, mut begun, unknown } = match self.prepare(row, held)? {
                Ok(retry) => retry,
                Err(refused) => return Ok(Err(refused)),
            };
            begun.refusals = refusals;
            if held == Some(Held::Sent) {
                // In one commit with the decision, so that nothing forgets it.
                let stage = Stage::keeping(&self.driver, &begun);
                match take_as_done(&mut run, &stage, &unknown).await {
                    Ok(events) => begun.events.extend(events),
                    Err(error) => return Ok(Err(incompatible(row, &error))),
                }
                (begun.writes, _) = stage.take();
            }
            let key = Arc::clone(&run.info.key);
            let (outcome, end) = self.driver.advance(&mut run, &mut begun).await?;
            if outcome == Outcome::Refused {
                refusals = begun.refusals;
                continue;
            }
            let (state, cause, caught) = (end.state, end.cause, end.caught);
            return Ok(Ok(Settled::Run { key, resumed: true, state, cause, caught }));
        }
    }

    /// Brings a run to where it is tried again, on the current pipeline.
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
        let begun = Begun { events: vec![retried], ..Begun::new(reference, bundle) };
        Ok(Ok(Retry { run, begun, unknown }))
    }
}

/// A run that is ready to be tried again.
struct Retry {
    run: Run,
    begun: Begun,
    /// The attempts of which it is not known whether they did what they were to do.
    unknown: BTreeSet<(Arc<str>, Option<u32>)>,
}

fn incompatible(row: &RunRow, difference: &dyn std::fmt::Display) -> NotRetried {
    NotRetried::Incompatible { key: row.key.clone(), difference: difference.to_string() }
}

/// Moves a run to the current version of the pipeline; returns it with the event that says so, or what stands in the way.
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

/// Checks that the order is one by the current schema, too. With the schema that it was accepted by, it is not held against it again.
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
        "its order does not fit the order schema, which has changed: {}; let the schema allow what was accepted before",
        problems.join(", ")
    ))
}

/// Says why a journal does not fit, without naming the run again.
fn reason(error: Error) -> String {
    match error {
        Error::Damaged { why, .. } => why,
        error => error.to_string(),
    }
}

/// Tells whether a step only sends a mail.
fn is_mail(plan: &Plan, step: &str) -> bool {
    let planned = plan.step(step).and_then(|at| plan.steps().get(at));
    planned.is_some_and(|planned| planned.effects.iter().all(|effect| effect.port == Port::Mail))
}

fn missing(what: &str, step: &str) -> String {
    format!("{what} `{step}` has succeeded and is missing; add it again")
}

/// Checks that what a run has done means the same in both plans. What never succeeded may have changed or be gone, and an output may have
/// got members that may be null.
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
            return Err(format!("the step `{}` was `{}` and is `{}`", was.id, was.kind, is.kind));
        }
        if is.for_each.is_some() != was.for_each.is_some() {
            return Err(format!("the step `{}` runs over a list in one of them only", was.id));
        }
        if !is.output.takes(&was.output) {
            return Err(format!("the output of `{}` has another type", was.id));
        }
    }
    Ok(())
}

/// Checks that steps of which only some elements are done run over the same list as before.
fn lists_agree(old: &Plan, before: &Run, after: &Run) -> Result<(), String> {
    for (at, (state, was)) in before.scheduler.steps().iter().zip(old.steps()).enumerate() {
        let Some(is) = after.scheduler.plan().step(&was.id) else { continue };
        if has_done_elements(state) && before.scheduler.items(at) != after.scheduler.items(is) {
            return Err(format!(
                "`{}` runs over another list, and some of its elements are done",
                was.id
            ));
        }
    }
    Ok(())
}

/// Tells whether a step that has not succeeded has elements that did, or of which that is not known.
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

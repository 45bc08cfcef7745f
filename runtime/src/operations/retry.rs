//! Retries runs on the current version of the pipeline.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::effects::Class;
use oms_engine::plan::Plan;
use oms_engine::run::{ElementState, Event, Run, RunState, StepState, assume_done};
use oms_engine::value::{Type, Unit};
use oms_sqlite::{Error, Outcome, RunRef, RunRow, StoredRun};
use serde::{Deserialize, Serialize};

use crate::admission::WorkResult;
use crate::operations::OperationError;
use crate::operations::answered::{self, AnswerFault, SuppliedAnswer};
use crate::run::driver::StretchStart;
use crate::run::journal::{events, resume_to};
use crate::run::refusals::Refusals;
use crate::run::sends_only_mail;
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
    /// The outcome of a step that sends no e-mail is unknown, so it cannot be marked as sent.
    #[error(
        "`{key}` is held: `{step}` sends no e-mail, so it cannot be marked as sent; use `--held resend` to run it again"
    )]
    NotMail {
        /// The order's key.
        key: String,
        /// The step's id.
        step: String,
    },
    /// The supplied answers do not fit.
    #[error("`{key}` is held: {fault}")]
    Answer {
        /// The order's key.
        key: String,
        /// The reason.
        fault: AnswerFault,
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
    Busy(String),
    /// The outcome of a step is unknown, and a user has to decide.
    #[error(
        "`{key}` is held: the outcome of `{step}` is unknown; use `--held resend` to run it again, `--held sent` if its e-mail was sent, or `--held answered --answer FILE` with the answer of its service"
    )]
    Held {
        /// The order's key.
        key: String,
        /// The step's id.
        step: String,
    },
}

/// Why a retry failed.
pub type RetryError = OperationError<NotRetried>;

/// A user's decision about the steps of a held run that have an unknown outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldDecision {
    /// Their e-mails were sent.
    Sent,
    /// Run the steps again.
    Resend,
    /// Their requests have these answers.
    Answered(Vec<SuppliedAnswer>),
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
    /// Returns an error if the run cannot be retried, or the database fails.
    pub async fn retry(
        &self,
        row: &RunRow,
        held: Option<HeldDecision>,
    ) -> Result<WorkResult, RetryError> {
        let Some(_lock) = self.run_locks.try_lock(row.id) else {
            return Err(RetryError::Refused(NotRetried::Busy(row.key.clone())));
        };
        let mut refusals = Refusals::default();
        loop {
            let Retry { mut run, mut start, unknown } = self.prepare(row, held.as_ref())?;
            start.refusals = refusals;
            if let Some(HeldDecision::Answered(answers)) = &held {
                let events = answered::events(answers, &unknown, run.scheduler.plan(), self.now());
                let events = events.map_err(|fault| {
                    let key = row.key.clone();
                    RetryError::Refused(NotRetried::Answer { key, fault })
                })?;
                for event in events {
                    let applied = run.scheduler.apply(&event);
                    applied.map_err(|error| incompatible(row, &error))?;
                    start.events.push(event);
                }
            }
            if held == Some(HeldDecision::Sent) {
                // In one commit with the decision, so that both are durable or neither.
                let stage = Stage::without_mailer(&self.driver, &start);
                let done = assume_done(&mut run, &stage, &unknown).await;
                start.events.extend(done.map_err(|error| incompatible(row, &error))?);
                (start.writes, _) = stage.take();
            }
            let key = Arc::clone(&run.info.key);
            let (outcome, end) = self.driver.advance(&mut run, &mut start).await?;
            if outcome == Outcome::Refused {
                refusals = start.refusals;
                continue;
            }
            let (state, cause, caught) = (end.state, end.cause, end.caught);
            return Ok(WorkResult::Run { key, resumed: true, state, cause, caught });
        }
    }

    /// Prepares the retry of a run on the current pipeline.
    fn prepare(&self, row: &RunRow, held: Option<&HeldDecision>) -> Result<Retry, RetryError> {
        let (current, bundle) = self.current()?;
        let (stored, before) = match self.driver.load_whole(row.id) {
            Ok(loaded) => loaded,
            Err(error) if error.park_cause().is_some() => {
                let (key, why) = (row.key.clone(), reason(error));
                return Err(RetryError::Refused(NotRetried::Damaged { key, why }));
            }
            Err(error) => return Err(error.into()),
        };
        let old = Arc::clone(before.scheduler.plan());
        if !stored.row.can_be_retried() {
            let (key, state) = (row.key.clone(), stored.row.state);
            return Err(RetryError::Refused(NotRetried::State { key, state }));
        }
        let unknown = before.scheduler.unknown_outcomes();
        let mut unknown: BTreeSet<_> = unknown.map(|(step, at)| (Arc::clone(step), at)).collect();
        if let (Some((step, _)), None) = (unknown.first(), held) {
            let (key, step) = (row.key.clone(), step.to_string());
            return Err(RetryError::Refused(NotRetried::Held { key, step }));
        }
        let gone = unknown.iter().find(|(step, _)| current.step(step).is_none());
        if let (Some((step, _)), Some(HeldDecision::Sent)) = (gone, held) {
            let (what, step) = ("the step", step.to_string());
            return Err(incompatible(row, &Difference::Missing { what, step }));
        }
        unknown.retain(|(step, _)| current.step(step).is_some());
        if let (Some((step, _)), Some(HeldDecision::Sent)) =
            (unknown.iter().find(|(step, _)| !sends_only_mail(&current, step)), held)
        {
            let (key, step) = (row.key.clone(), step.to_string());
            return Err(RetryError::Refused(NotRetried::NotMail { key, step }));
        }
        let at = self.now();
        let moved_run = if stored.row.bundle == bundle {
            let (mut run, retried) = (before, Event::Retried { at, done: None });
            run.scheduler
                .apply(&retried)
                .map(|()| (run, retried))
                .map_err(|error| Difference::Journal(error.to_string()))
        } else {
            moved(&stored, (&old, &before), &current, at)
        };
        let (run, retried) = moved_run.map_err(|difference| incompatible(row, &difference))?;
        let reference = RunRef::Existing { id: row.id };
        let start = StretchStart { events: vec![retried], ..StretchStart::new(reference, bundle) };
        Ok(Retry { run, start, unknown })
    }
}

/// A run that is ready to be retried.
struct Retry {
    run: Run,
    start: StretchStart,
    /// The attempts with an unknown outcome.
    unknown: BTreeSet<(Arc<str>, Option<u32>)>,
}

/// Why a run cannot move to the current version of the pipeline.
#[derive(Debug, thiserror::Error)]
enum Difference {
    /// The order does not match the changed schema.
    #[error(
        "the order does not match the changed order schema: {0}; change the schema so that it allows this order"
    )]
    Order(String),
    /// A step that has succeeded is missing.
    #[error("{what} `{step}` has succeeded, but the pipeline no longer has it; add it again")]
    Missing { what: &'static str, step: String },
    /// A step has another kind.
    #[error("the kind of `{step}` has changed from `{was}` to `{is}`")]
    Kind { step: String, was: String, is: String },
    /// A step has become a step for each element, or is no longer one.
    #[error("the step `{0}` has `for_each` in only one of the two versions")]
    ForEach(String),
    /// A step has another output type.
    #[error("the output type of `{0}` has changed")]
    Output(String),
    /// The currency of a completed step's amounts is a setting whose value has changed.
    #[error(
        "the amounts of `{step}` are in the currency of the setting `{setting}`, whose value has changed; set it to the earlier value"
    )]
    Currency { step: String, setting: String },
    /// A step with completed elements runs over another list.
    #[error("the list of `{0}` has changed, and some of its elements are completed")]
    List(String),
    /// The journal does not fit.
    #[error("{0}")]
    Journal(String),
}

fn incompatible(row: &RunRow, difference: &dyn std::fmt::Display) -> RetryError {
    let (key, difference) = (row.key.clone(), difference.to_string());
    RetryError::Refused(NotRetried::Incompatible { key, difference })
}

/// Moves a run to the current version of the pipeline. Returns the run and the event that records
/// the move, or the reason why the run cannot move.
fn moved(
    stored: &StoredRun,
    (old, before): (&Plan, &Run),
    current: &Arc<Plan>,
    at: Timestamp,
) -> Result<(Run, Event), Difference> {
    agree(old, current, before)?;
    fits(old, current, &before.info.body)?;
    let states = before.scheduler.steps().iter().zip(old.steps());
    let done = states.filter(|(state, _)| matches!(state, StepState::Succeeded(_)));
    let done = done.map(|(_, planned)| Arc::clone(&planned.id)).collect();
    let retried = Event::Retried { at, done: Some(done) };
    let journal = |error| Difference::Journal(reason(error));
    let mut all = events(stored, current).map_err(journal)?;
    all.push(retried.clone());
    let run = resume_to(stored, current, &all).map_err(journal)?;
    lists_agree(old, before, &run)?;
    Ok((run, retried))
}

/// Checks an order against the current schema, unless it was accepted under the same schema.
fn fits(old: &Plan, new: &Plan, order: &[u8]) -> Result<(), Difference> {
    if old.order().schema().source() == new.order().schema().source() {
        return Ok(());
    }
    let Err(problems) = new.order().schema().read(order) else { return Ok(()) };
    let problems = problems.iter().map(|problem| match problem.pointer.as_str() {
        "" => format!("it {}", problem.message),
        pointer => format!("{pointer} {}", problem.message),
    });
    let problems: Vec<String> = problems.collect();
    Err(Difference::Order(problems.join(", ")))
}

/// Returns why a journal does not fit the plan, without the run's key.
fn reason(error: Error) -> String {
    match error {
        Error::Damaged { why, .. } => why,
        error => error.to_string(),
    }
}

/// Checks that the completed steps of a run have the same meaning in both plans. Steps that never
/// succeeded may differ or be missing, and outputs may have gained nullable members.
fn agree(old: &Plan, new: &Plan, run: &Run) -> Result<(), Difference> {
    for (state, was) in run.scheduler.steps().iter().zip(old.steps()) {
        let done = matches!(state, StepState::Succeeded(_));
        if !done && !has_done_elements(state) {
            continue;
        }
        let Some(is) = new.step(&was.id).and_then(|at| new.steps().get(at)) else {
            let what = if done { "the step" } else { "a part of the step" };
            return Err(Difference::Missing { what, step: was.id.to_string() });
        };
        let step = || was.id.to_string();
        if is.kind != was.kind {
            let (was, is) = (was.kind.to_string(), is.kind.to_string());
            return Err(Difference::Kind { step: step(), was, is });
        }
        if is.for_each.is_some() != was.for_each.is_some() {
            return Err(Difference::ForEach(step()));
        }
        if !is.output.accepts_values_of(&was.output) {
            return Err(Difference::Output(step()));
        }
        if let Some(setting) = changed_currency(&was.output, old, new) {
            return Err(Difference::Currency { step: step(), setting });
        }
    }
    Ok(())
}

/// Returns the first setting with a changed value that is the currency of amounts of a type.
fn changed_currency(ty: &Type, old: &Plan, new: &Plan) -> Option<String> {
    let mut units = Vec::new();
    ty.collect_units(&mut units);
    let settings = units.into_iter().filter_map(|unit| match unit {
        Unit::Field(path) => path.strip_prefix("settings."),
        Unit::Code(_) => None,
    });
    settings.into_iter().find(|name| old.setting(name) != new.setting(name)).map(str::to_owned)
}

/// Checks that steps with some completed elements run over the same list as before.
fn lists_agree(old: &Plan, before: &Run, after: &Run) -> Result<(), Difference> {
    for (at, (state, was)) in before.scheduler.steps().iter().zip(old.steps()).enumerate() {
        let Some(is) = after.scheduler.plan().step(&was.id) else { continue };
        if has_done_elements(state) && before.scheduler.items(at) != after.scheduler.items(is) {
            return Err(Difference::List(was.id.to_string()));
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

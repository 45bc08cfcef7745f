//! Trying parked runs again, on the current pipeline.

use std::collections::BTreeSet;
use std::sync::Arc;

use oms_engine::effects::Clock as _;
use oms_engine::plan::Plan;
use oms_engine::run::{Event, Run, RunState, StepState, take_as_done};
use oms_engine::step::Port;
use serde::{Deserialize, Serialize};

use crate::drive::{Begun, Refusals};
use crate::error::Error;
use crate::packet::{Outcome, RunRef};
use crate::runner::{Runner, Settled};
use crate::runs::{RunRow, StoredRun};
use crate::stage::Stage;
use crate::world::SystemClock;

/// Why a parked run is not tried again.
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
    /// It is worked on, or was, since it was seen as parked.
    #[error("`{0}` is not parked any more")]
    NotParked(String),
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
    /// Tries a parked run again: what failed, and what was skipped because of it. Steps that were done stay done.
    /// The run goes over to the current pipeline and rates if the completed steps' ids, kinds and output types agree. What may have been
    /// done already is only done again, or taken as done, if `held` says so.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn retry(
        &self,
        row: &RunRow,
        held: Option<Held>,
    ) -> Result<Result<Settled, NotRetried>, Error> {
        let Some(_working) = self.under_way.begin(row.id) else {
            return Ok(Err(NotRetried::NotParked(row.key.clone())));
        };
        let mut refusals = Refusals::default();
        loop {
            let (current, bundle) = self.current();
            let (stored, old) = self.driver.readers.read(|connection| {
                let stored = StoredRun::load(connection, row.id)?;
                let plan = self.driver.bundles.plan(connection, stored.row.bundle)?;
                Ok((stored, plan))
            })?;
            if stored.row.state != RunState::Parked {
                return Ok(Err(NotRetried::NotParked(row.key.clone())));
            }
            let before = stored.revive(&old)?;
            if let Err(difference) = agree(&old, &current, &before) {
                return Ok(Err(NotRetried::Incompatible { key: row.key.clone(), difference }));
            }
            let unknown = before.scheduler.unknown_outcomes();
            let unknown: BTreeSet<_> = unknown.map(|(step, at)| (Arc::clone(step), at)).collect();
            if let (Some((step, _)), None) = (unknown.first(), held) {
                let (key, step) = (row.key.clone(), step.to_string());
                return Ok(Err(NotRetried::Held { key, step }));
            }
            let mut run = match stored.revive(&current) {
                Ok(run) => run,
                // What was done could not have been done in this pipeline.
                Err(Error::Journal { why: difference, .. }) => {
                    return Ok(Err(NotRetried::Incompatible { key: row.key.clone(), difference }));
                }
                Err(error) => return Err(error),
            };
            let retried = Event::Retried { at: SystemClock.now() };
            if let Err(error) = run.scheduler.apply(&retried) {
                let difference = error.to_string();
                return Ok(Err(NotRetried::Incompatible { key: row.key.clone(), difference }));
            }
            let mut begun = Begun {
                refusals,
                events: vec![retried],
                ..Begun::new(RunRef::Known { id: row.id }, bundle)
            };
            if held == Some(Held::Sent) {
                if let Some((step, _)) = unknown.iter().find(|(step, _)| !is_mail(&current, step)) {
                    let (key, step) = (row.key.clone(), step.to_string());
                    return Ok(Err(NotRetried::NotMail { key, step }));
                }
                // In one commit with the decision, so that nothing forgets it.
                let stage = Stage::keeping(&self.driver, &begun);
                match take_as_done(&mut run, &stage, &unknown).await {
                    Ok(events) => begun.events.extend(events),
                    Err(error) => {
                        let difference = error.to_string();
                        return Ok(Err(NotRetried::Incompatible {
                            key: row.key.clone(),
                            difference,
                        }));
                    }
                }
                (begun.writes, _) = stage.take();
            }
            let key = Arc::clone(&run.info.key);
            let (outcome, end) = self.driver.advance(&mut run, &mut begun).await?;
            if outcome == Outcome::Refused {
                refusals = begun.refusals;
                continue;
            }
            return Ok(Ok(Settled::Run { key, resumed: true, state: end.state, cause: end.cause }));
        }
    }
}

/// Tells whether a step only sends a mail.
fn is_mail(plan: &Plan, step: &str) -> bool {
    let planned = plan.step(step).and_then(|at| plan.steps().get(at));
    planned.is_some_and(|planned| planned.effects.iter().all(|effect| effect.port == Port::Mail))
}

/// Checks that what a run has done means the same in both plans.
fn agree(old: &Plan, new: &Plan, run: &Run) -> Result<(), String> {
    for (state, was) in run.scheduler.steps().iter().zip(old.steps()) {
        let done = matches!(state, StepState::Succeeded(_));
        if matches!(state, StepState::Pending) {
            continue;
        }
        let Some(is) = new.step(&was.id).and_then(|at| new.steps().get(at)) else {
            return Err(format!("the step `{}` is gone", was.id));
        };
        if is.kind != was.kind {
            return Err(format!("the step `{}` was `{}` and is `{}`", was.id, was.kind, is.kind));
        }
        if is.for_each.is_some() != was.for_each.is_some() {
            return Err(format!("the step `{}` runs over a list in one of them only", was.id));
        }
        if done && is.output != was.output {
            return Err(format!("the output of `{}` has another type", was.id));
        }
    }
    Ok(())
}

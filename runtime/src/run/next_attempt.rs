//! The next attempt of a waiting run.

use std::sync::Arc;

use oms_engine::plan::Plan;
use oms_engine::run::Event;
use oms_sqlite::{Error, StoredRun};

use super::journal;

/// The next attempt of a waiting run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NextAttempt {
    /// The order's key.
    pub key: String,
    /// The step's id.
    pub step: String,
    /// Why the last attempt failed.
    pub cause: Option<String>,
}

impl NextAttempt {
    /// Returns the next attempt of a run, or `None` if the run does not wait.
    ///
    /// # Errors
    /// Returns an error if the journal does not fit the plan.
    pub(crate) fn of(stored: &StoredRun, plan: &Arc<Plan>) -> Result<Option<Self>, Error> {
        let events = journal::events(stored, plan)?;
        let run = journal::resume_to(stored, plan, &events)?;
        let Some((step, _)) = run.scheduler.next_attempt() else { return Ok(None) };
        let cause = events.iter().rev().find_map(|event| match event {
            Event::Failed { step: failed, failure, .. } if failed == step => {
                Some(failure.cause.clone())
            }
            _ => None,
        });
        Ok(Some(Self { key: stored.row.key.clone(), step: step.to_string(), cause }))
    }
}

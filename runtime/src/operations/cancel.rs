//! Cancels runs.

use std::sync::Arc;

use oms_engine::run::{Event, RunState};
use oms_sqlite::{Error, Outcome, RunRef, RunRow};

use crate::admission::Settled;
use crate::operations::OperationError;
use crate::run::driver::{StretchEnd, StretchStart};
use crate::runner::Runner;

/// Why a run was not cancelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCancelled {
    /// The run has ended or is in progress.
    #[error("`{key}` is {state}: only a waiting or parked run can be cancelled", state = .state.as_str())]
    State {
        /// The order's key.
        key: String,
        /// The run's state.
        state: RunState,
    },
    /// Another task is working on the run.
    #[error("`{0}` is in progress; try again")]
    UnderWay(String),
}

/// Why a cancellation failed.
pub type CancelError = OperationError<NotCancelled>;

impl Runner {
    /// Cancels a run that waits or is parked. Completed steps stay completed; no further step runs.
    ///
    /// # Errors
    /// Returns an error if the run cannot be cancelled, or the database fails.
    pub async fn cancel(&self, row: &RunRow) -> Result<Settled, CancelError> {
        let Some(_lock) = self.run_locks.try_lock(row.id) else {
            return Err(CancelError::Refused(NotCancelled::UnderWay(row.key.clone())));
        };
        // The row may have changed before the run was locked, so it is read again.
        let loaded = self.driver.load(row.id);
        if let (Err(error), Some(now)) = (&loaded, self.row(row.id)?)
            && error.parks().is_some()
            && matches!(now.state, RunState::Waiting | RunState::Parked)
        {
            // The journal is damaged, so only the row records the cancellation.
            let (key, state) = (Arc::from(now.key.as_str()), RunState::Cancelled);
            self.driver.settle(&now, &StretchEnd::of(state)).await?;
            return Ok(Settled::Run { key, resumed: true, state, cause: None, caught: 0 });
        }
        let (mut run, now) = loaded?;
        if !matches!(now.state, RunState::Waiting | RunState::Parked) {
            let refused = NotCancelled::State { key: now.key, state: now.state };
            return Err(CancelError::Refused(refused));
        }
        let cancelled = Event::Cancelled { at: self.now() };
        if let Err(error) = run.scheduler.apply(&cancelled) {
            return Err(Error::Damaged { key: now.key, why: error.to_string() }.into());
        }
        let mut start = StretchStart {
            events: vec![cancelled],
            ..StretchStart::new(RunRef::Known { id: row.id }, now.bundle)
        };
        let key = Arc::clone(&run.info.key);
        let (outcome, end) = self.driver.advance(&mut run, &mut start).await?;
        debug_assert_ne!(
            outcome,
            Outcome::Refused,
            "the packet has no reads or writes that could conflict"
        );
        Ok(Settled::Run { key, resumed: true, state: end.state, cause: None, caught: end.caught })
    }
}

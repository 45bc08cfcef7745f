//! Ending a run that is not wanted any more.

use std::sync::Arc;

use oms_engine::run::{Event, RunState};
use oms_sqlite::{Error, Outcome, RunRef, RunRow};

use crate::admission::Settled;
use crate::run::driver::{Begun, End};
use crate::runner::Runner;

/// Why a run is not cancelled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotCancelled {
    /// It has ended, or is worked on at this moment.
    #[error("`{key}` is {state}: only a run that waits or is parked can be cancelled", state = .state.as_str())]
    State {
        /// The order's key.
        key: String,
        /// How far it is.
        state: RunState,
    },
    /// It is worked on at this moment.
    #[error("`{0}` is worked on at this moment; try again")]
    UnderWay(String),
}

impl Runner {
    /// Ends a run that waits or is parked. What it did stays done; nothing more of it is.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn cancel(&self, row: &RunRow) -> Result<Result<Settled, NotCancelled>, Error> {
        let Some(_lock) = self.run_locks.try_lock(row.id) else {
            return Ok(Err(NotCancelled::UnderWay(row.key.clone())));
        };
        // As it is now that nobody else works on it.
        let loaded = self.driver.load(row.id);
        if let (Err(error), Some(now)) = (&loaded, self.row(row.id)?)
            && error.parks().is_some()
            && matches!(now.state, RunState::Waiting | RunState::Parked)
        {
            // The journal is damaged, so only the row records the cancellation.
            let (key, state) = (Arc::from(now.key.as_str()), RunState::Cancelled);
            self.driver.settle(&now, &End::of(state)).await?;
            return Ok(Ok(Settled::Run { key, resumed: true, state, cause: None, caught: 0 }));
        }
        let (mut run, now) = loaded?;
        if !matches!(now.state, RunState::Waiting | RunState::Parked) {
            return Ok(Err(NotCancelled::State { key: now.key, state: now.state }));
        }
        let cancelled = Event::Cancelled { at: self.now() };
        if let Err(error) = run.scheduler.apply(&cancelled) {
            return Err(Error::Damaged { key: now.key, why: error.to_string() });
        }
        let mut begun = Begun {
            events: vec![cancelled],
            ..Begun::new(RunRef::Known { id: row.id }, now.bundle)
        };
        let key = Arc::clone(&run.info.key);
        let (outcome, end) = self.driver.advance(&mut run, &mut begun).await?;
        debug_assert_ne!(outcome, Outcome::Refused, "nothing is read or written that could change");
        Ok(Ok(Settled::Run {
            key,
            resumed: true,
            state: end.state,
            cause: None,
            caught: end.caught,
        }))
    }
}

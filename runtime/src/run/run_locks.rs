//! Locks on runs, so that two tasks never work on the same run at the same time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The locked runs.
#[derive(Clone, Default)]
pub(crate) struct RunLocks(Arc<Mutex<HashSet<i64>>>);

/// The lock on a run. Dropping it releases the lock.
pub(crate) struct RunLock {
    runs: RunLocks,
    id: i64,
}

impl RunLocks {
    /// Locks a run, or returns `None` if it is already locked.
    pub(crate) fn try_lock(&self, id: i64) -> Option<RunLock> {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        new.then(|| RunLock { runs: self.clone(), id })
    }
}

impl RunLock {
    /// Returns the run's row number.
    pub(crate) const fn id(&self) -> i64 {
        self.id
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        self.runs.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

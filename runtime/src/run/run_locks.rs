//! Locks on runs, so that two tasks never work on the same run at the same time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The runs that are being worked on.
#[derive(Clone, Default)]
pub(crate) struct RunLocks(Arc<Mutex<HashSet<i64>>>);

/// A run that is worked on until this is dropped.
pub(crate) struct RunLock {
    runs: RunLocks,
    id: i64,
}

impl RunLocks {
    /// Begins to work on a run; nothing if somebody does already.
    pub(crate) fn try_lock(&self, id: i64) -> Option<RunLock> {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        new.then(|| RunLock { runs: self.clone(), id })
    }
}

impl RunLock {
    /// Returns its row.
    pub(crate) const fn id(&self) -> i64 {
        self.id
    }
}

impl Drop for RunLock {
    fn drop(&mut self) {
        self.runs.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

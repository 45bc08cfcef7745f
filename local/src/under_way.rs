//! Which runs somebody works on, so that nobody else does at the same time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The runs that are worked on.
#[derive(Clone, Default)]
pub(crate) struct UnderWay(Arc<Mutex<HashSet<i64>>>);

/// A run that is worked on until this is dropped.
pub(crate) struct Working {
    runs: UnderWay,
    id: i64,
}

impl UnderWay {
    /// Begins to work on a run; nothing if somebody does already.
    pub(crate) fn begin(&self, id: i64) -> Option<Working> {
        let new = self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id);
        new.then(|| Working { runs: self.clone(), id })
    }
}

impl Working {
    /// Returns its row.
    pub(crate) const fn id(&self) -> i64 {
        self.id
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.runs.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.id);
    }
}

//! The rows that a stretch of a run has read and other runs may change, for worlds where no
//! transaction spans the stretch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names of tables.
pub type TableNames = Arc<BTreeSet<Arc<str>>>;

/// The reads of one stretch. A world whose writes take effect immediately stores a version with
/// each row of the [contended](Self::is_contended) tables and notes the version that it reads. It
/// writes only if the versions of all rows read are still the same. Otherwise it
/// [rejects](Self::reject) the stretch, and the run resumes from where the stretch began.
#[derive(Debug, Default)]
pub struct Reads {
    contended: TableNames,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The first version read of each row, plus the number of later writes in this stretch.
    versions: BTreeMap<String, i64>,
    rejected: bool,
}

impl Reads {
    /// Starts without reads. `contended` are the tables that some steps read and some steps write.
    pub fn new(contended: TableNames) -> Self {
        Self { contended, state: Mutex::default() }
    }

    /// Returns whether some steps read this table and some steps write it.
    pub fn is_contended(&self, table: &str) -> bool {
        self.contended.contains(table)
    }

    /// Notes the version of a row, 0 for a row that was never written. Only the first read of a row
    /// counts.
    pub fn record_read(&self, row: String, version: i64) {
        self.lock().versions.entry(row).or_insert(version);
    }

    /// Notes that this stretch wrote a row, which increments its version.
    pub fn record_write(&self, row: &str) {
        if let Some(version) = self.lock().versions.get_mut(row) {
            *version += 1;
        }
    }

    /// Returns the rows that were read, ordered by name, with their versions.
    pub fn versions(&self) -> BTreeMap<String, i64> {
        self.lock().versions.clone()
    }

    /// Notes that a row has changed since it was read, so nothing that depends on it may be kept.
    pub fn reject(&self) {
        self.lock().rejected = true;
    }

    /// Returns whether a row has changed since it was read.
    pub fn is_rejected(&self) -> bool {
        self.lock().rejected
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

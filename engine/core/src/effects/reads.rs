//! What a stretch of a run read of rows that other runs may change, where no transaction spans the stretch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Names of tables.
pub type TableNames = Arc<BTreeSet<Arc<str>>>;

/// The reads of one stretch. A world whose writes are real at once keeps a version with each row of the tables that are
/// [contended](Self::is_contended), notes the version that it read, and writes only if no row that was read has another version now. If one
/// has, it [refuses](Self::refuse) the stretch, and the run is taken up again from where it was before.
#[derive(Debug, Default)]
pub struct Reads {
    contended: TableNames,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// By row, the version that was read first.
    versions: BTreeMap<String, i64>,
    refused: bool,
}

impl Reads {
    /// Nothing was read yet; `contended` are the tables that steps read and steps write.
    pub fn new(contended: TableNames) -> Self {
        Self { contended, state: Mutex::default() }
    }

    /// Tells whether steps read this table and steps write it.
    pub fn is_contended(&self, table: &str) -> bool {
        self.contended.contains(table)
    }

    /// Notes the version of a row, 0 for one that was never written. The first read of a row counts.
    pub fn note(&self, row: String, version: i64) {
        self.lock().versions.entry(row).or_insert(version);
    }

    /// Notes that this stretch wrote a row, whose version is the next one now.
    pub fn wrote(&self, row: &str) {
        if let Some(version) = self.lock().versions.get_mut(row) {
            *version += 1;
        }
    }

    /// Returns the rows that were read with their versions, in the order of their names.
    pub fn versions(&self) -> BTreeMap<String, i64> {
        self.lock().versions.clone()
    }

    /// Notes that a row that was read has changed, so that what follows from it must not be kept.
    pub fn refuse(&self) {
        self.lock().refused = true;
    }

    /// Tells whether a row that was read has changed.
    pub fn is_refused(&self) -> bool {
        self.lock().refused
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

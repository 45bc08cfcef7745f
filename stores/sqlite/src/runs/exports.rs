//! Records of runs whose objects and e-mails still have to be written as files (`oms_exports`).
//!
//! The packet that commits an object or an e-mail also records its run. A later commit deletes the
//! record after the files are written. After a crash or a failed write the record still exists, and
//! the next process that exports writes the run's files.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use crate::error::Error;
use crate::state::readers::Reader;

/// The runs whose files were all written since the writer last checked.
#[derive(Clone, Default)]
pub struct ExportedRuns(Arc<Mutex<Runs>>);

#[derive(Default)]
struct Runs {
    written: Vec<i64>,
    /// Runs with a file that could not be written. Their records stay.
    failed: BTreeSet<i64>,
}

impl ExportedRuns {
    /// Takes the runs whose records can be deleted.
    pub(crate) fn take(&self) -> Vec<i64> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner).written)
    }

    /// Records that the files of a run were written, or that one of them was not.
    pub fn record(&self, run: i64, is_whole: bool) {
        let mut runs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_whole {
            runs.failed.insert(run);
        } else if !runs.failed.contains(&run) {
            runs.written.push(run);
        }
    }
}

/// Returns the runs whose files an earlier process did not write.
pub(crate) fn pending(reader: &Reader) -> Result<Vec<i64>, Error> {
    let mut statement = reader.sql().prepare("select run from oms_exports order by run")?;
    let runs = statement.query_map([], |row| row.get(0))?;
    Ok(runs.collect::<Result<_, _>>()?)
}

/// Records that a run's files have to be written, in the transaction that commits their content.
pub(crate) fn note(connection: &Connection, run: i64) -> Result<(), Error> {
    connection
        .prepare_cached("insert into oms_exports (run) values (?1) on conflict do nothing")?
        .execute([run])?;
    Ok(())
}

/// Deletes the records of runs whose files are written.
pub(crate) fn remove(connection: &Connection, runs: &[i64]) -> Result<(), Error> {
    let mut statement = connection.prepare_cached("delete from oms_exports where run = ?1")?;
    for run in runs {
        statement.execute([run])?;
    }
    Ok(())
}

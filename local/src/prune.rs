//! Deleting old runs. The key and digest of each order stay, so that the same order is still
//! recognized as a duplicate.

use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::table::TableDef;
use rusqlite::{Connection, params};

use crate::database::{empty_log, overwriting};
use crate::error::Error;
use crate::runner::Runner;
use crate::runs::last_run;
use crate::search::first_at;
use crate::tables::quoted;

/// Finds the digest of an order by its key, even if its run was deleted.
pub(crate) const KNOWN: &str = "select digest from oms_runs where key = ?1 union all select digest from oms_pruned where key = ?1";

/// Number of runs that are deleted in one transaction. Other writes wait for it.
const RUNS: i64 = 500;

impl Runner {
    /// Deletes the runs that completed or were cancelled and have not changed since `before`: the
    /// order, the journal, the objects and the e-mails. Rows of the pipeline's tables stay. Returns
    /// the number of deleted runs. If `alone` is true, SQLite then rewrites the database file
    /// without its free pages. Otherwise later orders reuse the pages.
    ///
    /// # Errors
    /// When the database fails. Runs that were deleted before the failure stay deleted.
    pub async fn prune(&self, before: Timestamp, alone: bool) -> Result<u64, Error> {
        let (mut pruned, mut from) = (0, 0);
        loop {
            let some = move |connection: &Connection| some(connection, from, before);
            let Some((next, runs)) = self.driver.writer.change(some).await? else { break };
            self.index.remove(self, &runs)?;
            (from, pruned) = (next, pruned + runs.len() as u64);
        }
        if pruned > 0 && alone {
            self.driver.writer.work(shrink).await?;
        }
        Ok(pruned)
    }
}

/// Rewrites the database file without its free pages. The alternative, `auto_vacuum`, would slow
/// down every commit.
fn shrink(connection: &Connection) -> Result<(), Error> {
    connection.execute_batch("vacuum")?;
    match empty_log(connection) {
        // The next process empties the log.
        Err(Error::StillRead) => Ok(()),
        emptied => emptied,
    }
}

/// Deletes the old runs among the next rows. Returns the row to continue at and the deleted runs,
/// or `None` at the end.
fn some(
    connection: &Connection,
    from: i64,
    before: Timestamp,
) -> Result<Option<(i64, Vec<i64>)>, Error> {
    let end = (from + RUNS).min(first_at(connection, before)?);
    if from >= end {
        return Ok(None);
    }
    let old = "state in ('completed', 'cancelled') and updated_at < ?3 and id >= ?1 and id < ?2";
    let values = params![from, end, before.as_millisecond()];
    let runs = overwriting(connection, |connection| {
        let mut wanted =
            connection.prepare_cached(&format!("select id from oms_runs where {old}"))?;
        let runs = wanted.query_map(values, |row| row.get(0))?.collect::<Result<_, _>>()?;
        let_go(connection, old, values)?;
        Ok(runs)
    })?;
    Ok(Some((end, runs)))
}

/// Stores the greatest row that a run ever had.
fn keep_last(connection: &Connection, last: i64) -> Result<(), Error> {
    connection
        .prepare_cached("insert into oms_meta (name, value) values ('last_run', ?1) on conflict do update set value = excluded.value")?
        .execute([last.to_string()])?;
    Ok(())
}

/// Determines the greatest row that a run ever had, if runs were deleted by a version that did not
/// store it. Rows of tables still refer to their runs.
pub(crate) fn recall_last(connection: &Connection, tables: &[Arc<TableDef>]) -> Result<(), Error> {
    let forgotten = "select exists (select 1 from oms_pruned) and not exists (select 1 from oms_meta where name = 'last_run')";
    if !connection.query_row(forgotten, [], |row| row.get(0))? {
        return Ok(());
    }
    let mut last = last_run(connection)?;
    for table in tables {
        let sql = format!("select coalesce(max(oms_run), 0) from {}", quoted(&table.name));
        last = last.max(connection.query_row(&sql, [], |row| row.get(0))?);
    }
    keep_last(connection, last)
}

/// Deletes the matching runs with all their data, and keeps their keys and digests.
pub(crate) fn let_go(
    connection: &Connection,
    wanted: &str,
    values: impl rusqlite::Params + Copy,
) -> Result<(), Error> {
    keep_last(connection, last_run(connection)?)?;
    connection.prepare_cached(&format!("insert into oms_pruned (key, digest) select key, digest from oms_runs where {wanted} on conflict do nothing"))?.execute(values)?;
    for table in ["oms_journal", "oms_objects", "oms_mails"] {
        let sql =
            format!("delete from {table} where run in (select id from oms_runs where {wanted})");
        connection.prepare_cached(&sql)?.execute(values)?;
    }
    connection.prepare_cached(&format!("delete from oms_runs where {wanted}"))?.execute(values)?;
    Ok(())
}

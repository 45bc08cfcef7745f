//! Deletes old runs. The key and digests of each order stay, so that the same order is still
//! recognized as a duplicate.

use std::sync::Arc;

use jiff::Timestamp;
use oms_core::table::TableDef;
use rusqlite::{Connection, params};

use super::run_row::last_run;
use super::search::first_at;
use crate::error::Error;
use crate::state::database::{empty_log, overwriting};
use crate::tables::definition::quoted;

/// Number of rows that one transaction examines for deletion. Other writes wait for the
/// transaction.
const RUNS: i64 = 500;

/// The query for the digest of an order by its key, even if its run was deleted.
pub(crate) const KNOWN: &str = "select digest from oms_runs where key = ?1 union all select digest from oms_pruned where key = ?1";

/// Rewrites the database file without its free pages. The alternative, `auto_vacuum`, would slow
/// down every commit.
pub(crate) fn shrink(connection: &Connection) -> Result<(), Error> {
    connection.execute_batch("vacuum")?;
    match empty_log(connection) {
        // The next process empties the log.
        Err(Error::LogInUse) => Ok(()),
        emptied => emptied,
    }
}

/// Deletes the old runs among the next rows. Returns the row at which to continue and the deleted
/// runs, or `None` at the end.
pub(crate) fn ended_before(
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
        delete(connection, old, values)?;
        Ok(runs)
    })?;
    Ok(Some((end, runs)))
}

/// Stores the highest row number that any run ever had.
fn keep_last(connection: &Connection, last: i64) -> Result<(), Error> {
    connection
        .prepare_cached("insert into oms_meta (name, value) values ('last_run', ?1) on conflict do update set value = excluded.value")?
        .execute([last.to_string()])?;
    Ok(())
}

/// Determines and stores the highest row number that any run ever had, if a version that did not
/// store it has deleted runs. The rows of tables still refer to the deleted runs.
pub(crate) fn restore_last_run(
    connection: &Connection,
    tables: &[Arc<TableDef>],
) -> Result<(), Error> {
    let is_unrecorded = "select exists (select 1 from oms_pruned) and not exists (select 1 from oms_meta where name = 'last_run')";
    if !connection.query_row(is_unrecorded, [], |row| row.get(0))? {
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
pub(crate) fn delete(
    connection: &Connection,
    wanted: &str,
    values: impl rusqlite::Params + Copy,
) -> Result<(), Error> {
    keep_last(connection, last_run(connection)?)?;
    connection.prepare_cached(&format!("insert into oms_pruned (key, digest, reduced) select key, digest, reduced from oms_runs where {wanted} on conflict do nothing"))?.execute(values)?;
    for table in ["oms_journal", "oms_objects", "oms_mails"] {
        let sql =
            format!("delete from {table} where run in (select id from oms_runs where {wanted})");
        connection.prepare_cached(&sql)?.execute(values)?;
    }
    connection.prepare_cached(&format!("delete from oms_runs where {wanted}"))?.execute(values)?;
    Ok(())
}

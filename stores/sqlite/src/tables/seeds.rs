//! Seeds: initial rows of tables. A seed is loaded when its file has changed. It adds rows, and
//! updates rows that have not been changed since it wrote them. It never deletes rows, and never
//! restores deleted rows.

use std::fmt;
use std::sync::Arc;

use oms_core::table::TableDef;
use oms_core::value::{Digest, Value};
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use crate::error::Error;
use crate::tables::column::{self, bind};
use crate::tables::definition::Statements;
use crate::tables::seed_rows::{SeedRow, key_of, row_digest};

/// Rows of a seed file that were not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedSeed {
    table: Arc<str>,
    /// Number of rows that a step or an import wrote.
    changed: u64,
    /// Number of deleted rows.
    deleted: u64,
    /// Number of rows that are missing in a state of an earlier version. That version may have
    /// deleted them.
    missing: u64,
}

impl fmt::Display for SkippedSeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { table, changed, deleted, missing } = self;
        let total = changed + deleted + missing;
        let rows = if total == 1 { "row" } else { "rows" };
        let reasons = [
            (changed, "changed by a step or an import"),
            (deleted, "deleted"),
            (missing, "missing and possibly deleted by an earlier version"),
        ];
        let reasons = reasons.iter().filter(|(count, _)| **count > 0);
        let reasons: Vec<String> =
            reasons.map(|(count, reason)| format!("{count} {reason}")).collect();
        write!(f, "the seed of `{table}` skipped {total} {rows}: {}", reasons.join(", "))?;
        write!(f, "; use `oms db import` to write the rows anyway")
    }
}

/// The previous load of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PreviousLoad {
    /// No seed was loaded.
    Nothing,
    /// An earlier version, which did not record rows, loaded a file. `same` indicates whether the
    /// file was the same.
    Unrecorded { same: bool },
    /// Each row has a record.
    Recorded,
}

/// A seed file of a table.
pub struct SeedFile {
    /// The table.
    pub table: Arc<TableDef>,
    /// The digest of the file.
    pub digest: Digest,
    /// Reads the rows of the file. Called only if the file has changed.
    pub rows: Box<dyn FnOnce() -> Vec<Value> + Send>,
}

/// Loads the seeds whose files have changed since they were last loaded. Returns the seeds with
/// rows that were skipped.
pub(crate) fn load(
    connection: &Connection,
    seeds: impl IntoIterator<Item = SeedFile>,
) -> Result<Vec<SkippedSeed>, Error> {
    let mut skipped = Vec::new();
    for seed in seeds {
        let digest = seed.digest.to_string();
        let recorded = meta(connection, &format!("seed rows {}", seed.table.name))?;
        if recorded.as_ref() == Some(&digest) {
            continue;
        }
        let unrecorded = meta(connection, &format!("seed {}", seed.table.name))?;
        let before = match (recorded, unrecorded) {
            (Some(_), _) => PreviousLoad::Recorded,
            (None, Some(loaded)) => PreviousLoad::Unrecorded { same: loaded == digest },
            (None, None) => PreviousLoad::Nothing,
        };
        let of_seed = load_one(connection, &seed.table, (seed.rows)(), &digest, before)?;
        let is_reported = before != PreviousLoad::Unrecorded { same: true };
        if is_reported && of_seed.changed + of_seed.deleted + of_seed.missing > 0 {
            skipped.push(of_seed);
        }
    }
    Ok(skipped)
}

fn meta(connection: &Connection, name: &str) -> Result<Option<String>, Error> {
    let mut statement = connection.prepare_cached("select value from oms_meta where name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

fn load_one(
    connection: &Connection,
    table: &TableDef,
    rows: Vec<Value>,
    digest: &str,
    before: PreviousLoad,
) -> Result<SkippedSeed, Error> {
    let mut skipped =
        SkippedSeed { table: Arc::clone(&table.name), changed: 0, deleted: 0, missing: 0 };
    let transaction = connection.unchecked_transaction()?;
    let statements = Statements::new(table);
    for row in rows {
        load_row(&transaction, table, &statements, &row, before, &mut skipped)?;
    }
    // Earlier versions of the program use the first name. Without it, they would load the file
    // again.
    for name in [format!("seed {}", table.name), format!("seed rows {}", table.name)] {
        transaction.execute(
            "insert into oms_meta (name, value) values (?1, ?2) on conflict (name) do update set value = excluded.value",
            params![name, digest],
        )?;
    }
    transaction.commit()?;
    Ok(skipped)
}

fn load_row(
    connection: &Connection,
    table: &TableDef,
    statements: &Statements,
    row: &Value,
    before: PreviousLoad,
    skipped: &mut SkippedSeed,
) -> Result<(), Error> {
    let (key, new) = (key_of(table, row), row_digest(row));
    let record = SeedRow::find(connection, table, &key)?;
    let found: Option<(Option<i64>, Value)> = connection
        .prepare_cached(&statements.select)?
        .query_row(params_from_iter(&key), |found| {
            Ok((found.get(table.columns.len())?, column::read_row(table, found)?))
        })
        .optional()?;
    let found = found.map(|(run, row)| (run, row_digest(&row)));
    let write = match (&record, found) {
        (Some(SeedRow::Written(old)), Some((None, stored))) => *old == stored.bytes(),
        (None, None) => !matches!(before, PreviousLoad::Unrecorded { .. }),
        // An earlier version of the program, or an import before the first seed, wrote the same
        // row.
        (None, Some((None, stored))) => stored == new,
        _ => false,
    };
    if write {
        if record == Some(SeedRow::Written(new.bytes().to_vec())) {
            return Ok(());
        }
        upsert(connection, table, statements, row)?;
        return SeedRow::Written(new.bytes().to_vec()).keep(connection, table, &key);
    }
    match found {
        Some((_, stored)) if stored == new => {}
        Some(_) => skipped.changed += 1,
        None if record.is_none() => skipped.missing += 1,
        None => skipped.deleted += 1,
    }
    SeedRow::ChangedByOthers.keep(connection, table, &key)
}

fn upsert(
    connection: &Connection,
    table: &TableDef,
    statements: &Statements,
    row: &Value,
) -> Result<(), Error> {
    let record = row.as_record();
    let values = table
        .columns
        .iter()
        .map(|column| record.and_then(|record| record.get(&column.name)).unwrap_or(&Value::Null))
        .chain([&Value::Null])
        .map(bind);
    connection.prepare_cached(&statements.upsert)?.execute(params_from_iter(values))?;
    Ok(())
}

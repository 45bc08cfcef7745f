//! Seeds: initial rows of tables. A seed is loaded when its file has changed. It adds rows and
//! updates rows that nothing else has changed since it wrote them. It never deletes rows or
//! restores deleted ones.

use std::fmt;
use std::sync::Arc;

use oms_engine::document::Files;
use oms_engine::plan::{Plan, Seed, read_row, row_lines};
use oms_engine::table::TableDef;
use oms_engine::value::{Digest, Value};
use rusqlite::{Connection, OptionalExtension as _, params, params_from_iter};

use crate::column::{self, bind};
use crate::error::Error;
use crate::seed_rows::{SeedRow, key_of, row_digest};
use crate::tables::Statements;

/// Rows of a seed file that were not loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SkippedSeed {
    table: Arc<str>,
    /// Number of rows that a step or an import wrote.
    changed: u64,
    /// Number of deleted rows.
    deleted: u64,
    /// Number of rows that are missing in a state of an earlier version, which may have deleted
    /// them.
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

/// What is known about the previous load of a seed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Before {
    /// No seed was loaded.
    Nothing,
    /// An earlier version without records of rows loaded a file.
    Unrecorded { same: bool },
    /// Each row has a record.
    Recorded,
}

/// Loads the seeds of a plan whose files have changed since the last load, and returns the skipped
/// rows.
pub(crate) fn load(
    connection: &Connection,
    plan: &Plan,
    files: &dyn Files,
) -> Result<Vec<SkippedSeed>, Error> {
    let mut skipped = Vec::new();
    for seed in plan.seeds() {
        // The check has just read this file successfully.
        let Ok(bytes) = files.read(&seed.path) else { continue };
        let digest = Digest::of(&bytes).to_string();
        let recorded = meta(connection, &format!("seed rows {}", seed.table.name))?;
        if recorded.as_ref() == Some(&digest) {
            continue;
        }
        let unrecorded = meta(connection, &format!("seed {}", seed.table.name))?;
        let before = match (recorded, unrecorded) {
            (Some(_), _) => Before::Recorded,
            (None, Some(loaded)) => Before::Unrecorded { same: loaded == digest },
            (None, None) => Before::Nothing,
        };
        let of_seed = load_one(connection, seed, &bytes, &digest, before)?;
        let is_news = before != Before::Unrecorded { same: true };
        if is_news && of_seed.changed + of_seed.deleted + of_seed.missing > 0 {
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
    seed: &Seed,
    bytes: &[u8],
    digest: &str,
    before: Before,
) -> Result<SkippedSeed, Error> {
    let table = &seed.table;
    let mut skipped =
        SkippedSeed { table: Arc::clone(&table.name), changed: 0, deleted: 0, missing: 0 };
    let transaction = connection.unchecked_transaction()?;
    let statements = Statements::new(table);
    let text = String::from_utf8_lossy(bytes);
    for (_, line) in row_lines(&text) {
        let Ok(row) = read_row(table, line) else { continue };
        load_row(&transaction, table, &statements, &row, before, &mut skipped)?;
    }
    // Earlier versions use the first name; without it they would load the file again.
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
    before: Before,
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
        (Some(SeedRow::Written(old)), Some((None, there))) => *old == there.bytes(),
        (None, None) => !matches!(before, Before::Unrecorded { .. }),
        // An earlier version of the program, or an import before the first seed, wrote the same
        // row.
        (None, Some((None, there))) => there == new,
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
        Some((_, there)) if there == new => {}
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

/// Checks that the state belongs to this pipeline, or stores the pipeline for a new state.
pub(crate) fn claim(connection: &Connection, pipeline: &Arc<str>) -> Result<(), Error> {
    connection.execute(
        "insert into oms_meta (name, value) values ('pipeline', ?1) on conflict do nothing",
        [pipeline.as_ref()],
    )?;
    let owner: String =
        connection.query_row("select value from oms_meta where name = 'pipeline'", [], |row| {
            row.get(0)
        })?;
    if owner == pipeline.as_ref() { Ok(()) } else { Err(Error::OtherPipeline(owner)) }
}

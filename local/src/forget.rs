//! Forgetting a customer: the orders with all that came of them but sums, and the customer's own rows.
//!
//! An order counts as the customer's if it has the value somewhere, as a text or a number of its own. Of its run remain key and digest, as after
//! [`prune`](Runner::prune), so that the same order again is still a duplicate. Rows that steps wrote stay without their personal columns; rows of tables that no step writes
//! to, such as addresses, are deleted where they have the value or a personal column.

use std::sync::Arc;

use oms_engine::plan::Plan;
use oms_engine::run::RunState;
use oms_engine::step::{Port, Verb};
use oms_engine::table::{Column, ColumnShape, TableDef};
use oms_engine::value::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::error::Error;
use crate::prune::let_go;
use crate::runner::Runner;
use crate::tables::quoted;
use crate::under_way::Working;

/// Runs that go in one transaction.
const RUNS: usize = 500;

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forgotten {
    /// Runs that were let go of.
    pub runs: u64,
    /// Rows that were deleted, or lost their personal columns.
    pub rows: u64,
    /// Runs that have not ended, and were left as they are.
    pub open: u64,
}

impl Runner {
    /// Forgets whoever has a value, such as a customer's id.
    ///
    /// # Errors
    /// When the database fails; it can be done again.
    pub async fn forget(&self, value: &str) -> Result<Forgotten, Error> {
        let plan = self.plan();
        let (runs, open) = self.read(|connection, _| runs_of(connection, value))?;
        let mut forgotten = Forgotten { open, ..Forgotten::default() };
        // It is made again, without them.
        self.index.discard()?;
        for some in runs.chunks(RUNS) {
            // Nobody tries one of them again meanwhile.
            let working: Vec<_> =
                some.iter().filter_map(|run| self.under_way.begin(*run)).collect();
            let chunk = working.iter().map(Working::id);
            let chunk = self.read(|connection, _| ended(connection, chunk))?;
            forgotten.open += (some.len() - chunk.len()) as u64;
            forgotten.runs += chunk.len() as u64;
            let plan = Arc::clone(&plan);
            let go = move |connection: &Connection| {
                let transaction = connection.unchecked_transaction()?;
                // What is deleted is overwritten.
                connection.pragma_update(None, "secure_delete", true)?;
                let rows = of_runs(connection, &plan, &chunk)?;
                for run in &chunk {
                    let_go(connection, "id = ?1", params![run])?;
                }
                transaction.commit()?;
                Ok(rows)
            };
            forgotten.rows += self.driver.writer.work(go).await?;
        }
        // Whoever was just making it may have read them before.
        self.index.discard()?;
        let value = value.to_owned();
        let rest = move |connection: &Connection| {
            connection.pragma_update(None, "secure_delete", true)?;
            let transaction = connection.unchecked_transaction()?;
            let mut rows = 0;
            for table in plan.tables() {
                rows += of_value(connection, &plan, table, &value)?;
            }
            transaction.commit()?;
            connection.pragma_update(None, "secure_delete", false)?;
            // The log has what was there before.
            let busy: bool =
                connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0))?;
            if busy { Err(Error::StillRead) } else { Ok(rows) }
        };
        forgotten.rows += self.driver.writer.work(rest).await?;
        Ok(forgotten)
    }
}

/// Finds the runs of the orders that have a value, and counts those of them that have not ended.
fn runs_of(connection: &Connection, value: &str) -> Result<(Vec<i64>, u64), Error> {
    let mut statement = connection.prepare("select id, state, body from oms_runs")?;
    let mut rows = statement.query([])?;
    let (mut ended, mut open) = (Vec::new(), 0);
    while let Some(row) = rows.next()? {
        let body = row.get_ref(2)?.as_blob().unwrap_or_default();
        if !serde_json::from_slice(body).is_ok_and(|order: Json| has(&order, value)) {
            continue;
        }
        let state: String = row.get(1)?;
        match RunState::parse(&state) {
            Some(RunState::InProgress | RunState::Waiting) => open += 1,
            _ => ended.push(row.get(0)?),
        }
    }
    Ok((ended, open))
}

/// Returns those of some runs that have ended, or stopped for a person.
fn ended(connection: &Connection, runs: impl Iterator<Item = i64>) -> Result<Vec<i64>, Error> {
    let mut ended = connection.prepare_cached(
        "select id from oms_runs where id = ?1 and state not in ('in_progress', 'waiting')",
    )?;
    let found = runs.map(|run| ended.query_row([run], |row| row.get(0)).optional());
    Ok(found.filter_map(Result::transpose).collect::<Result<_, _>>()?)
}

/// Tells whether a value stands somewhere in an order, by itself.
pub(crate) fn has(order: &Json, value: &str) -> bool {
    match order {
        Json::String(text) => text == value,
        Json::Number(number) => number.to_string() == value,
        Json::Array(elements) => elements.iter().any(|element| has(element, value)),
        Json::Object(members) => members.values().any(|member| has(member, value)),
        Json::Null | Json::Bool(_) => false,
    }
}

/// Tells whether steps write to a table.
pub(crate) fn is_written(plan: &Plan, table: &TableDef) -> bool {
    let effects = plan.steps().iter().flat_map(|step| &step.effects);
    let mut tables = effects.filter(|effect| effect.port == Port::Tables);
    tables.any(|effect| effect.verb != Verb::Get && effect.resource == table.name)
}

/// What stands in a column when it is empty: null, or what says the least and can still be read.
const fn nothing(column: &Column) -> &'static str {
    match (column.nullable, column.shape) {
        (true, _) => "null",
        (false, ColumnShape::Integer | ColumnShape::Boolean) => "0",
        (false, ColumnShape::Decimal { .. }) => "'0'",
        (false, ColumnShape::Date) => "'1970-01-01'",
        (false, ColumnShape::Timestamp) => "'1970-01-01T00:00:00.000Z'",
        (false, _) => "''",
    }
}

/// Empties the personal columns of rows; `wanted` says of which. A key cannot be empty: its digest stands for it.
fn empty(
    connection: &Connection,
    table: &TableDef,
    wanted: &str,
    value: &dyn rusqlite::ToSql,
) -> Result<u64, Error> {
    let name = quoted(&table.name);
    let personal: Vec<&Column> = table.columns.iter().filter(|column| column.pii).collect();
    let keys: Vec<&str> = table.key_columns().map(|column| &*column.name).collect();
    let others = || personal.iter().filter(|column| !keys.contains(&&*column.name));
    let pairs = |between: &str| -> Vec<String> {
        let pair =
            |column: &&Column| format!("{} {between} {}", quoted(&column.name), nothing(column));
        others().map(pair).collect()
    };
    let mut changed = 0;
    if others().next().is_some() {
        let (emptied, full) = (pairs("=").join(", "), pairs("is not").join(" or "));
        let sql = format!("update {name} set {emptied} where ({wanted}) and ({full})");
        changed = connection.execute(&sql, [value])? as u64;
    }
    for column in personal.iter().filter(|column| keys.contains(&&*column.name)) {
        let column = quoted(&column.name);
        let mut found =
            connection.prepare(&format!("select rowid, {column} from {name} where {wanted}"))?;
        let rows: Vec<(i64, String)> = found
            .query_map([value], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (row, key) in rows {
            let digest = Digest::of(key.as_bytes()).short();
            let sql = format!("update {name} set {column} = ?2 where rowid = ?1");
            changed += connection.execute(&sql, params![row, digest])? as u64;
        }
    }
    Ok(changed)
}

/// Empties the personal columns of what runs wrote.
fn of_runs(connection: &Connection, plan: &Plan, runs: &[i64]) -> Result<u64, Error> {
    let mut rows = 0;
    for table in plan.tables().iter().filter(|table| is_written(plan, table)) {
        if table.columns.iter().any(|column| column.pii) {
            for run in runs {
                rows += empty(connection, table, "oms_run = ?1", run)?;
            }
        }
    }
    Ok(rows)
}

/// Deletes or empties the rows that have a value in one of their columns.
fn of_value(
    connection: &Connection,
    plan: &Plan,
    table: &TableDef,
    value: &str,
) -> Result<u64, Error> {
    if !table.columns.iter().any(|column| column.pii) {
        return Ok(0);
    }
    let any: Vec<String> =
        table.columns.iter().map(|column| format!("{} = ?1", quoted(&column.name))).collect();
    let any = any.join(" or ");
    if is_written(plan, table) {
        return empty(connection, table, &any, &value);
    }
    let sql = format!("delete from {} where {any}", quoted(&table.name));
    Ok(connection.execute(&sql, [value])? as u64)
}

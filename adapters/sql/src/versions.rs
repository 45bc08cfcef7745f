//! Versions of the rows in tables that steps both read and write. A write compares these versions,
//! so that a run writes only if the rows that it has read are unchanged.
//!
//! `oms_versions` has an entry for every row of such a table that a step ever wrote, identified by
//! the name of the row. A write statement first locks the versions of all rows that the stretch
//! has read, and of the row that it writes. It locks them in the order of their names, so that two
//! statements never deadlock. Then it compares the versions. If one differs, the statement fails
//! with SQLSTATE 40001 and changes nothing. Without the locks, two runs that each read the row that
//! the other writes would both succeed.

use oms_core::effects::{Call, StepError, cause};
use oms_core::table::TableDef;
use oms_core::value::Value;
use serde_json::Value as Json;

use crate::statement::{Hint, Statement};

/// The table of versions.
pub(crate) const TABLE: &str =
    "create table if not exists oms_versions (item text primary key, version bigint not null)";
/// The function that makes a statement fail.
pub(crate) const FUNCTION: &str = "create or replace function oms_unchanged(unchanged boolean) returns boolean language plpgsql as $$ begin if unchanged then return true; end if; \
     raise exception 'a row has changed since it was read' using errcode = 'serialization_failure'; end $$";

/// Returns the name of a row: its table and its key.
pub(crate) fn item<'v>(table: &TableDef, key: impl Iterator<Item = &'v Value>) -> String {
    let parts = std::iter::once(table.name.to_string()).chain(key.map(Value::display));
    Json::from_iter(parts).to_string()
}

/// Starts a write statement with the part `checked`, which compares versions and has one row if
/// they are unchanged. Returns `None` if there are no versions to compare.
pub(crate) fn checked(call: &Call, table: &TableDef, row: &Value) -> Option<Statement> {
    let written = call.reads.is_contended(&table.name).then(|| item(table, table.key_of(row)));
    let items = items(call, written.map(|item| (item, None, 1)));
    (!items.is_empty()).then(|| compared(items))
}

/// A row, the version that was read, and the number that the statement adds to the version.
pub(crate) type Item = (String, Option<i64>, i64);

/// Returns the rows that the stretch has read, and another one.
pub(crate) fn items(call: &Call, other: Option<Item>) -> Vec<Item> {
    let read = call.reads.versions();
    let mut items: Vec<Item> = read.into_iter().map(|(item, seen)| (item, Some(seen), 0)).collect();
    if let Some((other, seen, step)) = other {
        match items.iter_mut().find(|(item, ..)| *item == other) {
            Some(known) => known.2 = step,
            None => items.push((other, seen, step)),
        }
    }
    items
}

/// Starts a statement with the part `checked`, which has one row if the versions are unchanged.
pub(crate) fn compared(items: Vec<Item>) -> Statement {
    let mut statement = Statement::default().sql("with items (item, seen, step) as (values ");
    for (at, (item, seen, step)) in items.into_iter().enumerate() {
        let seen = seen.map(|seen| seen.to_string());
        statement = statement.sql(if at == 0 { "(" } else { ", (" }).text(item).sql(", ");
        statement = statement.bind(Hint::Integer, seen).sql(", ");
        statement = statement.bind(Hint::Integer, Some(step.to_string())).sql(")");
    }
    statement.sql(
        "), taken as (insert into oms_versions as v (item, version) select item, step from items order by item on conflict (item) do update \
         set version = v.version + (select i.step from items i where i.item = v.item) returning v.item, v.version), \
         checked as (select oms_unchanged(bool_and(seen is null or version = seen + step)) as unchanged from taken join items using (item))",
    )
}

/// Processes the result of a write that compared versions. After a success, this stretch uses the
/// row's new version in further comparisons. After a conflict, the stretch is refused.
pub(crate) fn record_version<T>(
    call: &Call,
    table: &TableDef,
    row: &Value,
    result: Result<T, StepError>,
) -> Result<T, StepError> {
    match &result {
        Ok(_) if call.reads.is_contended(&table.name) => {
            call.reads.record_write(&item(table, table.key_of(row)));
        }
        Err(error) if error.cause() == cause::CONTENTION => call.reads.reject(),
        _ => {}
    }
    result
}

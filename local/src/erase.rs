//! Erasing what the pipeline's tables say of a person, and leaving the sums.

use oms_engine::plan::Plan;
use oms_engine::table::{Column, TableDef};
use oms_engine::value::Value;
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::tables::quoted;

/// Writes what stands in a column that was erased.
fn literal(column: &Column) -> String {
    match column.erased() {
        Value::Null => "null".to_owned(),
        Value::Int(value) => value.to_string(),
        Value::Bool(value) => i64::from(value).to_string(),
        value => format!("'{}'", value.display()),
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
            |column: &&Column| format!("{} {between} {}", quoted(&column.name), literal(column));
        others().map(pair).collect()
    };
    let mut changed = 0;
    if others().next().is_some() {
        let (emptied, full) = (pairs("=").join(", "), pairs("is not").join(" or "));
        let sql = format!("update {name} set {emptied} where ({wanted}) and ({full})");
        changed = connection.execute(&sql, [value])? as u64;
    }
    for key_column in personal.iter().filter(|column| keys.contains(&&*column.name)) {
        let column = quoted(&key_column.name);
        let mut found =
            connection.prepare(&format!("select rowid, {column} from {name} where {wanted}"))?;
        let rows: Vec<(i64, String)> = found
            .query_map([value], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<Result<_, _>>()?;
        for (row, key) in rows {
            let erased = key_column.erased_key(&key);
            let sql = format!("update {name} set {column} = ?2 where rowid = ?1");
            changed += connection.execute(&sql, params![row, erased])? as u64;
        }
    }
    Ok(changed)
}

/// Empties the personal columns of what runs wrote.
pub(crate) fn of_runs(connection: &Connection, plan: &Plan, runs: &[i64]) -> Result<u64, Error> {
    let mut rows = 0;
    for table in plan.tables().iter().filter(|table| plan.writes_to(&table.name)) {
        if table.columns.iter().any(|column| column.pii) {
            for run in runs {
                rows += empty(connection, table, "oms_run = ?1", run)?;
            }
        }
    }
    Ok(rows)
}

/// Deletes or empties the rows that have a value in one of their columns.
pub(crate) fn of_value(
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
    if plan.writes_to(&table.name) {
        return empty(connection, table, &any, &value);
    }
    let sql = format!("delete from {} where {any}", quoted(&table.name));
    Ok(connection.execute(&sql, [value])? as u64)
}

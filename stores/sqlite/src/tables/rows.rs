//! Reads, exports and imports the rows of tables.

use std::sync::Arc;

use oms_core::table::TableDef;
use oms_core::value::{Value, write_json};
use rusqlite::{Connection, OptionalExtension as _, params_from_iter};

use crate::error::Error;
use crate::state::database::Database;
use crate::state::readers::Reader;
use crate::tables::column::{self, bind};
use crate::tables::definition::{Statements, ensure, quoted};
use crate::tables::seed_rows::{SeedRow, key_of};

/// Calls `each` with every row of a table as a line of JSON, in the order of its key. The rows are
/// copied to a temporary table first, because `each` may be slow and a long read of the table
/// itself would make the write-ahead log grow.
///
/// # Errors
/// Returns an error if the database cannot be read, or if `each` fails.
pub fn export_rows(
    reader: &Reader,
    table: &TableDef,
    mut each: impl FnMut(&str) -> Result<(), Error>,
) -> Result<u64, Error> {
    let connection = reader.sql();
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let key: Vec<String> = table.key_columns().map(|column| quoted(&column.name)).collect();
    // To SQLite, creating a temporary table is a write, although the file does not change.
    connection.pragma_update(None, "query_only", false)?;
    connection.execute_batch(&format!(
        "create temp table oms_exported as select {} from main.{} order by {}",
        columns.join(", "),
        quoted(&table.name),
        key.join(", ")
    ))?;
    let mut count = 0;
    {
        let mut statement = connection.prepare("select * from temp.oms_exported order by rowid")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            each(&write_json(&column::read_row(table, row)?))?;
            count += 1;
        }
    }
    connection.execute_batch("drop table temp.oms_exported")?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(count)
}

/// Counts the rows of a table.
///
/// # Errors
/// Returns an error if the database cannot be read.
pub fn count_rows(reader: &Reader, table: &TableDef) -> Result<u64, Error> {
    let sql = format!("select count(*) from {}", quoted(&table.name));
    let count: i64 = reader.sql().query_row(&sql, [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Returns the row with the same key as `row`, or `None` if there is no such row.
///
/// # Errors
/// Returns an error if the database cannot be read.
pub fn row_like(reader: &Reader, table: &TableDef, row: &Value) -> Result<Option<Value>, Error> {
    let connection = reader.sql();
    let record = row.as_record();
    let key = table
        .key_columns()
        .map(|column| record.and_then(|record| record.get(&column.name)).unwrap_or(&Value::Null));
    let found = connection
        .prepare_cached(&Statements::new(table).select)?
        .query_row(params_from_iter(key.map(bind)), |row| column::read_row(table, row))
        .optional()?;
    Ok(found)
}

/// Finds the committed row with a key, and the run that wrote it.
pub(crate) fn committed(
    reader: &Reader,
    table: &TableDef,
    key: &[&Value],
) -> Result<Option<(Option<i64>, Value)>, Error> {
    let found = reader
        .sql()
        .prepare_cached(&Statements::new(table).select)?
        .query_row(params_from_iter(key.iter().map(|value| bind(value))), |row| {
            Ok((row.get(table.columns.len())?, column::read_row(table, row)?))
        })
        .optional()?;
    Ok(found)
}

/// Adds rows to a table and replaces rows with the same key, in one transaction.
///
/// # Errors
/// Returns an error if the database fails.
pub fn import_rows(
    database: &Database,
    table: &Arc<TableDef>,
    rows: &[Value],
) -> Result<(), Error> {
    import_on(&database.connect()?, table, rows)
}

/// Adds rows to a table, and replaces rows with the same key, on a connection for writing.
pub(crate) fn import_on(
    connection: &Connection,
    table: &Arc<TableDef>,
    rows: &[Value],
) -> Result<(), Error> {
    ensure(connection, table)?;
    let transaction = connection.unchecked_transaction()?;
    {
        let mut statement = transaction.prepare(&Statements::new(table).upsert)?;
        for row in rows {
            let record = row.as_record();
            let values = table
                .columns
                .iter()
                .map(|column| {
                    record.and_then(|record| record.get(&column.name)).unwrap_or(&Value::Null)
                })
                .chain([&Value::Null])
                .map(bind);
            statement.execute(params_from_iter(values))?;
            SeedRow::ChangedByOthers.keep(&transaction, table, &key_of(table, row))?;
        }
    }
    transaction.commit()?;
    Ok(())
}

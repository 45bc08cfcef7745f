//! Rows of the pipeline's tables out of the database and into it, as NDJSON.

use std::sync::Arc;

use oms_engine::plan::read_row;
use oms_engine::table::TableDef;
use oms_engine::value::{Value, write_json};
use rusqlite::{Connection, params_from_iter};

use crate::column::{self, bind};
use crate::database::Database;
use crate::error::Error;
use crate::tables::{Statements, ensure, quoted};

/// Calls `each` with every row of a table as a line of JSON, in the order of its key.
///
/// # Errors
/// When the database cannot be read, or `each` fails.
pub fn export_rows(
    connection: &Connection,
    table: &TableDef,
    mut each: impl FnMut(&str) -> Result<(), Error>,
) -> Result<u64, Error> {
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let key: Vec<String> = table.key_columns().map(|column| quoted(&column.name)).collect();
    let sql = format!(
        "select {} from {} order by {}",
        columns.join(", "),
        quoted(&table.name),
        key.join(", ")
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query([])?;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        each(&write_json(&column::read_row(table, row)?))?;
        count += 1;
    }
    Ok(count)
}

/// Why rows were not imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// A line does not fit the table.
    #[error("line {line}, column {column}: {message}")]
    Row {
        /// The line, from 1.
        line: usize,
        /// The column in characters, from 1.
        column: usize,
        /// What is wrong, without the value.
        message: String,
    },
    /// The database refused.
    #[error(transparent)]
    Database(#[from] Error),
}

/// Adds the rows of an NDJSON text to a table, replacing those with the same key; all of them, or none if one does not fit.
///
/// # Errors
/// The first line that does not fit, or the database's refusal.
pub fn import_rows(
    database: &Database,
    table: &Arc<TableDef>,
    text: &str,
) -> Result<u64, ImportError> {
    let connection = database.connect()?;
    ensure(&connection, table)?;
    let transaction = connection.unchecked_transaction().map_err(Error::from)?;
    let mut count = 0;
    {
        let mut statement =
            transaction.prepare(&Statements::new(table).upsert).map_err(Error::from)?;
        for (index, line) in text.lines().enumerate() {
            if line.trim().is_empty() {
                continue;
            }
            let row = read_row(table, line).map_err(|problems| {
                let (column, message) =
                    problems.into_iter().next().unwrap_or_else(|| (1, "does not fit".to_owned()));
                ImportError::Row { line: index + 1, column, message }
            })?;
            let record = row.as_record();
            let values = table
                .columns
                .iter()
                .map(|column| {
                    record.and_then(|record| record.get(&column.name)).unwrap_or(&Value::Null)
                })
                .chain([&Value::Null])
                .map(bind);
            statement.execute(params_from_iter(values)).map_err(Error::from)?;
            count += 1;
        }
    }
    transaction.commit().map_err(Error::from)?;
    Ok(count)
}

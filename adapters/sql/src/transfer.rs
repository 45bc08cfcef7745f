//! Exports and imports rows of declared tables.

use std::collections::BTreeMap;

use oms_core::effects::{Class, StepError};
use oms_core::table::TableDef;
use oms_core::value::Value;

use crate::database::Database;
use crate::row::{self, columns_as_text, field, replaced, values};
use crate::statement::{Hint, Statement};
use crate::versions;

/// Maximum number of values in a statement. The RDS Data API limits the length of a statement to
/// 64 KiB, and a placeholder with its cast needs up to 50 bytes.
const VALUES_MAX: usize = 1_000;
/// Maximum size of the values in a statement, in bytes, unless a single row is larger.
const BYTES_MAX: usize = 256 * 1024;
/// Maximum number of rows in a page of an export.
const PAGE: usize = 500;

/// The database rejected a row or failed.
#[derive(Debug)]
pub struct ImportError {
    /// Number of rows that are imported: all rows before the one that failed.
    pub imported: usize,
    /// The cause.
    pub source: StepError,
}

impl std::fmt::Display for ImportError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let row = self.imported + 1;
        write!(f, "cannot import row {row}; the rows before it are imported")
    }
}

impl std::error::Error for ImportError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

/// Imports rows that belong to no run, such as customers' addresses. A row replaces the one with the
/// same key; of several rows with one key, the last one counts. In a `contended` table, which steps
/// both read and write, this also increments the versions of the rows, so that concurrent runs
/// detect the change.
///
/// # Errors
/// Returns an error if the database fails or rejects a row.
pub async fn import(
    database: &dyn Database,
    table: &TableDef,
    rows: &[Value],
    contended: bool,
) -> Result<(), ImportError> {
    let mut imported = 0;
    for part in parts(table, rows) {
        if import_part(database, table, part, contended).await.is_err() {
            // One by one, the rows before the one that fails are imported.
            for (at, row) in part.iter().enumerate() {
                let one = std::slice::from_ref(row);
                let result = import_part(database, table, one, contended).await;
                result.map_err(|source| ImportError { imported: imported + at, source })?;
            }
        }
        imported += part.len();
    }
    Ok(())
}

/// Divides rows into parts that fit into a statement.
fn parts<'r>(table: &TableDef, rows: &'r [Value]) -> Vec<&'r [Value]> {
    let count = (VALUES_MAX / (table.columns.len() + 1)).max(1);
    let size = |row: &Value| -> usize {
        let texts = table.columns.iter().map(|column| field(row, column));
        texts.map(|value| value.as_text().map_or(32, |text| text.len())).sum()
    };
    let mut parts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (at, row) in rows.iter().enumerate() {
        let more = size(row);
        if at > start && (at - start == count || bytes + more > BYTES_MAX) {
            parts.extend(rows.get(start..at));
            (start, bytes) = (at, 0);
        }
        bytes += more;
    }
    parts.extend(rows.get(start..).filter(|last| !last.is_empty()));
    parts
}

/// Imports rows with one statement.
async fn import_part(
    database: &dyn Database,
    table: &TableDef,
    rows: &[Value],
    contended: bool,
) -> Result<(), StepError> {
    // A statement can write a row only once.
    let item = |row| versions::item(table, table.key_of(row));
    let last: BTreeMap<String, &Value> = rows.iter().map(|row| (item(row), row)).collect();
    let mut statement = Statement::default();
    if contended {
        statement =
            statement.sql("with changed as (insert into oms_versions as v (item, version) values ");
        for (at, item) in last.keys().enumerate() {
            statement = statement.sql(if at == 0 { "(" } else { ", (" }).text(item).sql(", 1)");
        }
        statement = statement.sql(" on conflict (item) do update set version = v.version + 1) ");
    }
    let columns = table.columns.iter().map(|column| column.name.as_ref());
    statement = statement.sql("insert into ").name(&table.name).sql(" (").names(columns);
    statement = statement.sql(") values ");
    for (at, row) in last.values().enumerate() {
        statement = values(statement.sql(if at == 0 { "(" } else { ", (" }), table, row).sql(")");
    }
    let key = table.key_columns().map(|column| column.name.as_ref());
    let statement = statement.sql(" on conflict (").names(key).sql(") do update set ");
    database.run(&replaced(statement, table)).await.map(drop)
}

/// Reads all rows of a table, sorted by key in the order of the database.
///
/// # Errors
/// Returns an error if the database fails, or if `each` does.
pub async fn export<E: From<StepError>>(
    database: &dyn Database,
    table: &TableDef,
    mut each: impl FnMut(&Value) -> Result<(), E>,
) -> Result<(), E> {
    let (mut after, mut limit) = (None, PAGE);
    loop {
        let page = match database.run(&page(table, after.as_ref(), limit)).await {
            Ok(page) => page,
            // A response of the RDS Data API has at most 1 MiB, and a row at most 64 KiB.
            Err(error) if limit > 1 && error.class() == Class::Permanent => {
                limit /= 2;
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        for found in &page {
            let read = row::read(table, found)?;
            each(&read)?;
            after = Some(read);
        }
        if page.len() < limit {
            return Ok(());
        }
    }
}

/// Selects the rows after a row in the order of the key.
fn page(table: &TableDef, after: Option<&Value>, limit: usize) -> Statement {
    let mut statement = columns_as_text(Statement::default().sql("select "), table);
    statement = statement.sql(" from ").name(&table.name);
    let key = || table.key_columns().map(|column| column.name.as_ref());
    if let Some(after) = after {
        statement = statement.sql(" where (").names(key()).sql(") > (");
        for (at, (column, value)) in table.key_columns().zip(table.key_of(after)).enumerate() {
            statement = statement.sql(if at == 0 { "" } else { ", " }).value(column.shape, value);
        }
        statement = statement.sql(")");
    }
    let statement = statement.sql(" order by ").names(key()).sql(" limit ");
    statement.bind(Hint::Integer, Some(limit.to_string()))
}

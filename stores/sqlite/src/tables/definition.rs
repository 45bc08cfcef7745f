//! The pipeline's tables: their creation, migration and statements.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use oms_core::table::{ColumnDifference, ExistingColumn, TableDef};
use rusqlite::Connection;

use crate::error::Error;
use crate::state::database::Database;
use crate::tables::column::sql_type;

/// The column with the run that wrote a row.
const RUN: &str = "oms_run";

/// A difference between a column in the database and its declaration.
enum Difference {
    /// `oms db migrate` can remove the difference and keep the rows.
    Migratable(String),
    /// `oms db migrate` cannot remove the difference: a type or the primary key differs, or a
    /// required column is missing.
    Final(String),
}

/// Returns the columns of a table in the database. The result is empty if the table does not exist.
fn existing_columns(
    connection: &Connection,
    table: &TableDef,
) -> Result<BTreeMap<String, ExistingColumn>, Error> {
    let mut statement =
        connection.prepare("select name, type, pk, \"notnull\" from pragma_table_info(?1)")?;
    let columns = statement.query_map([table.name.as_ref()], |row| {
        // SQLite counts from 1, and 0 means that the column is not part of the key.
        let key = usize::try_from(row.get::<_, i64>(2)?).unwrap_or(0).checked_sub(1);
        Ok((row.get(0)?, ExistingColumn { sql_type: row.get(1)?, key, not_null: row.get(3)? }))
    })?;
    Ok(columns.collect::<Result<_, _>>()?)
}

/// Returns the first difference that cannot be removed by adding columns.
fn difference(table: &TableDef, existing: &BTreeMap<String, ExistingColumn>) -> Option<Difference> {
    for (at, column) in table.columns.iter().enumerate() {
        let found = existing.get(&*column.name);
        if let Some(difference) = table.column_difference(at, sql_type(column.shape), found) {
            let text = difference.to_string();
            return Some(match difference {
                ColumnDifference::NotNull(_) | ColumnDifference::Nullable(_) => {
                    Difference::Migratable(text)
                }
                _ => Difference::Final(text),
            });
        }
    }
    let mut undeclared = undeclared(table, existing);
    let (name, existing) =
        undeclared.find(|(_, existing)| existing.not_null || existing.key.is_some())?;
    Some(match existing.key {
        Some(_) => Difference::Final(ColumnDifference::Key.to_string()),
        None => Difference::Migratable(format!(
            "{}, and the pipeline does not declare it",
            ColumnDifference::NotNull(name.clone())
        )),
    })
}

/// Returns the undeclared columns in the database, except `oms_run`.
fn undeclared<'t>(
    table: &'t TableDef,
    existing: &'t BTreeMap<String, ExistingColumn>,
) -> impl Iterator<Item = (&'t String, &'t ExistingColumn)> {
    let declared = |name: &str| table.columns.iter().any(|column| *column.name == *name);
    existing.iter().filter(move |(name, _)| *name != RUN && !declared(name))
}

/// Creates a declared table, or adds newly declared columns.
///
/// # Errors
/// Returns an error if the table in the database differs by more than missing nullable columns.
/// Otherwise, the first order would fail.
pub(crate) fn ensure(connection: &Connection, table: &TableDef) -> Result<(), Error> {
    let existing = existing_columns(connection, table)?;
    if existing.is_empty() {
        connection.execute_batch(&create(&table.name, table, []))?;
        return Ok(());
    }
    let (table_name, hint) =
        (|| table.name.to_string(), "; run `oms db migrate` to change the table and keep its rows");
    match difference(table, &existing) {
        None => {}
        Some(Difference::Migratable(difference)) => {
            let difference = format!("{difference}{hint}");
            return Err(Error::Table { table: table_name(), difference });
        }
        Some(Difference::Final(difference)) => {
            return Err(Error::Table { table: table_name(), difference });
        }
    }
    for column in table.columns.iter().filter(|column| !existing.contains_key(&*column.name)) {
        connection.execute_batch(&format!(
            "alter table {} add column {} {}",
            quoted(&table.name),
            quoted(&column.name),
            sql_type(column.shape)
        ))?;
    }
    Ok(())
}

/// Migrates tables in one transaction, and returns the names of the tables that changed. Rows and
/// undeclared columns are kept. Undeclared columns become nullable.
///
/// # Errors
/// Returns an error if a table has a difference that a migration cannot remove, if a column that
/// must not be null contains null, or if the database fails.
pub fn migrate(database: &Database, tables: &[Arc<TableDef>]) -> Result<Vec<String>, Error> {
    let connection = database.connect()?;
    let transaction = connection.unchecked_transaction()?;
    let mut changed = Vec::new();
    for table in tables {
        let existing = existing_columns(&transaction, table)?;
        let name = table.name.to_string();
        if let Some(Difference::Migratable(difference)) = difference(table, &existing) {
            recreate(&transaction, table, &existing).map_err(|_| {
                let difference = format!("{difference}, and some rows contain null");
                Error::Table { table: name.clone(), difference }
            })?;
            changed.push(name);
        }
        ensure(&transaction, table)?;
    }
    transaction.commit()?;
    Ok(changed)
}

/// Recreates a table with its declared and undeclared columns, and copies the rows
/// (<https://sqlite.org/lang_altertable.html#otheralter>).
fn recreate(
    connection: &Connection,
    table: &TableDef,
    existing: &BTreeMap<String, ExistingColumn>,
) -> Result<(), Error> {
    const NEXT: &str = "oms_next_table";
    let kept = undeclared(table, existing)
        .map(|(name, existing)| (name.as_str(), existing.sql_type.as_str()));
    let columns: Vec<String> = existing.keys().map(|name| quoted(name)).collect();
    let (name, columns) = (quoted(&table.name), columns.join(", "));
    connection.execute_batch(&create(NEXT, table, kept))?;
    connection.execute_batch(&format!(
        "insert into {NEXT} ({columns}) select {columns} from {name}; drop table {name}; alter table {NEXT} rename to {name}"
    ))?;
    Ok(())
}

/// Quotes an identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the statement that creates a table with additional nullable columns.
fn create<'c>(
    name: &str,
    table: &TableDef,
    additional: impl IntoIterator<Item = (&'c str, &'c str)>,
) -> String {
    let mut sql = format!("create table {} (", quoted(name));
    for column in &table.columns {
        let null = if column.nullable { "" } else { " not null" };
        // Writing to a string cannot fail.
        let _written = write!(sql, "{} {}{null}, ", quoted(&column.name), sql_type(column.shape));
    }
    for (column, sql_type) in additional {
        let _written = write!(sql, "{} {sql_type}, ", quoted(column));
    }
    let key: Vec<String> = table.key_columns().map(|column| quoted(&column.name)).collect();
    let _written = write!(sql, "{RUN} integer, primary key ({})) strict", key.join(", "));
    sql
}

/// Returns the statement that changes columns of a row. Its parameters are the new values, and then
/// the key.
pub(crate) fn update(table: &TableDef, columns: &[usize]) -> String {
    let changed = columns.iter().filter_map(|at| table.columns.get(*at));
    let changed: Vec<String> =
        changed.map(|column| format!("{} = ?", quoted(&column.name))).collect();
    let key: Vec<String> =
        table.key_columns().map(|column| format!("{} = ?", quoted(&column.name))).collect();
    let (changed, key) = (changed.join(", "), key.join(" and "));
    format!("update {} set {changed} where {key}", quoted(&table.name))
}

/// The statements of a table.
pub(crate) struct Statements {
    pub(crate) insert: String,
    pub(crate) upsert: String,
    /// Selects the columns, and then the run that wrote the row.
    pub(crate) select: String,
}

impl Statements {
    pub(crate) fn new(table: &TableDef) -> Self {
        let name = quoted(&table.name);
        let columns: Vec<String> =
            table.columns.iter().map(|column| quoted(&column.name)).collect();
        let marks: Vec<String> = (1..=columns.len() + 1).map(|at| format!("?{at}")).collect();
        let key: Vec<String> = table.key_columns().map(|column| quoted(&column.name)).collect();
        let by_key: Vec<String> =
            key.iter().enumerate().map(|(at, column)| format!("{column} = ?{}", at + 1)).collect();
        let listed = columns.join(", ");
        let insert =
            format!("insert into {name} ({listed}, oms_run) values ({})", marks.join(", "));
        let replaced: Vec<String> = columns
            .iter()
            .filter(|column| !key.contains(column))
            .map(|column| format!("{column} = excluded.{column}"))
            .chain(["oms_run = excluded.oms_run".to_owned()])
            .collect();
        let conflict = key.join(", ");
        Self {
            upsert: format!(
                "{insert} on conflict ({conflict}) do update set {}",
                replaced.join(", ")
            ),
            insert: format!("{insert} on conflict ({conflict}) do nothing"),
            select: format!("select {listed}, oms_run from {name} where {}", by_key.join(" and ")),
        }
    }
}

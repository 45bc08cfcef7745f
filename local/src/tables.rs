//! The pipeline's own tables: made when they are declared, and their statements.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use oms_engine::table::TableDef;
use rusqlite::Connection;

use crate::column::sql_type;
use crate::error::Error;

/// Makes a declared table, or adds what was newly declared.
///
/// # Errors
/// When the table that is there differs in another way than by lacking columns that may be null.
pub(crate) fn ensure(connection: &Connection, table: &TableDef) -> Result<(), Error> {
    let mut statement =
        connection.prepare("select name, type, pk, \"notnull\" from pragma_table_info(?1)")?;
    let existing: BTreeMap<String, (String, i64, bool)> = statement
        .query_map([table.name.as_ref()], |row| {
            Ok((row.get(0)?, (row.get(1)?, row.get(2)?, row.get(3)?)))
        })?
        .collect::<Result<_, _>>()?;
    if existing.is_empty() {
        connection.execute_batch(&create(table))?;
        return Ok(());
    }
    let differs = |difference: String| Error::Table { table: table.name.to_string(), difference };
    for (index, column) in table.columns.iter().enumerate() {
        let key = table.key.iter().position(|key| *key == index).map_or(0, |position| position + 1);
        match existing.get(column.name.as_ref()) {
            Some((sql, pk, not_null)) => {
                if !sql.eq_ignore_ascii_case(sql_type(column.shape)) {
                    return Err(differs(format!("`{}` is {sql} there", column.name)));
                }
                if usize::try_from(*pk).unwrap_or(0) != key {
                    return Err(differs("its key is another one".to_owned()));
                }
                if *not_null == column.nullable {
                    let there = if *not_null { "must not" } else { "may" };
                    return Err(differs(format!("`{}` {there} be null there", column.name)));
                }
            }
            None if column.nullable => {
                connection.execute_batch(&format!(
                    "alter table {} add column {} {}",
                    quoted(&table.name),
                    quoted(&column.name),
                    sql_type(column.shape)
                ))?;
            }
            None => {
                return Err(differs(format!("it lacks `{}`, which must not be null", column.name)));
            }
        }
    }
    Ok(())
}

/// Quotes an identifier.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn create(table: &TableDef) -> String {
    let mut sql = format!("create table {} (", quoted(&table.name));
    for column in &table.columns {
        let null = if column.nullable { "" } else { " not null" };
        // Writing to a string cannot fail.
        let _written = write!(sql, "{} {}{null}, ", quoted(&column.name), sql_type(column.shape));
    }
    let key: Vec<String> = table.key_columns().map(|column| quoted(&column.name)).collect();
    let _written = write!(sql, "oms_run integer, primary key ({})) strict", key.join(", "));
    sql
}

/// The statements of a table.
pub(crate) struct Statements {
    pub(crate) insert: String,
    pub(crate) upsert: String,
    /// The columns, then the run that wrote the row.
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

//! Migrates tables. A change that could lose data, or that could make the handlers of the earlier
//! version fail, requires permission.

use std::collections::BTreeMap;

use oms_core::effects::StepError;
use oms_core::table::{Column, ColumnDifference, ColumnShape, ExistingColumn, TableDef};

use crate::database::Database;
use crate::oms_tables;
use crate::row::{ORDER, RUN};
use crate::statement::Statement;

/// A change of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaChange {
    /// The statement.
    pub statement: Statement,
    /// The table and the difference, if the change could lose data, fail because of existing rows,
    /// or make the handlers of the earlier version fail.
    pub destructive: Option<String>,
}

/// Why a migration failed.
#[derive(Debug)]
pub enum MigrateError {
    /// An existing table differs in a way that cannot be migrated.
    Differs {
        /// The table.
        table: String,
        /// The difference, as text.
        difference: String,
    },
    /// These tables and differences need destructive changes, which are not allowed.
    Destructive(Vec<String>),
    /// The database failed or cannot be reached.
    Database(StepError),
}

impl std::fmt::Display for MigrateError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Differs { table, difference } => write!(
                f,
                "the table `{table}` exists and differs from its declaration: {difference}; change the table by hand, or rename it in the pipeline"
            ),
            Self::Destructive(differences) => write!(
                f,
                "the migration could lose data, or make running handlers fail: {}; run it with `--allow-destructive`, or change the pipeline",
                differences.join("; ")
            ),
            Self::Database(error) => write!(f, "cannot migrate the tables: {error}"),
        }
    }
}

impl std::error::Error for MigrateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Differs { .. } | Self::Destructive(_) => None,
            // The message contains that of the error itself.
            Self::Database(error) => error.source(),
        }
    }
}

impl From<StepError> for MigrateError {
    fn from(error: StepError) -> Self {
        Self::Database(error)
    }
}

/// Returns the statements that create the tables of `oms` and of the pipeline in an empty database.
pub fn ddl<'t>(tables: impl Iterator<Item = &'t TableDef>) -> Vec<Statement> {
    oms_tables::create().chain(tables.map(create)).collect()
}

/// Returns the changes that a database needs for the tables of `oms` and of a pipeline. Columns that
/// the pipeline does not declare are kept, and become nullable.
///
/// # Errors
/// Returns an error if an existing table differs in a way that cannot be migrated, or if the
/// database fails.
pub async fn schema_changes(
    database: &dyn Database,
    tables: impl Iterator<Item = &TableDef> + Send,
) -> Result<Vec<SchemaChange>, MigrateError> {
    let own = oms_tables::missing(database).await?.into_iter();
    let mut changes: Vec<SchemaChange> =
        own.map(|statement| SchemaChange { statement, destructive: None }).collect();
    for table in tables {
        changes.extend(changes_of(database, table).await?);
    }
    Ok(changes)
}

/// Makes all changes that a database needs. A repeated call changes nothing.
///
/// # Errors
/// Returns an error, and changes nothing, if a table differs in a way that cannot be migrated, or
/// needs a destructive change and these are not allowed. Returns an error if the database fails.
pub async fn migrate(
    database: &dyn Database,
    tables: impl Iterator<Item = &TableDef> + Send,
    allow_destructive: bool,
) -> Result<(), MigrateError> {
    let changes = schema_changes(database, tables).await?;
    let destructive: Vec<String> =
        changes.iter().filter_map(|change| change.destructive.clone()).collect();
    if !allow_destructive && !destructive.is_empty() {
        return Err(MigrateError::Destructive(destructive));
    }
    for change in changes {
        database.run(&change.statement).await?;
    }
    Ok(())
}

async fn changes_of(
    database: &dyn Database,
    table: &TableDef,
) -> Result<Vec<SchemaChange>, MigrateError> {
    let there = columns(database, table).await?;
    let additive = |statement| SchemaChange { statement, destructive: None };
    if there.is_empty() {
        return Ok(vec![additive(create(table))]);
    }
    let differs =
        |difference: String| MigrateError::Differs { table: table.name.to_string(), difference };
    if !there.contains_key(RUN) || !there.contains_key(ORDER) {
        return Err(differs("it was not created by oms".to_owned()));
    }
    let alter = || Statement::default().sql("alter table ").name(&table.name);
    let column = |name: &str| alter().sql(" alter column ").name(name);
    let mut changes = Vec::new();
    for (at, declared_column) in table.columns.iter().enumerate() {
        let (name, sql_type) = (&declared_column.name, type_of(declared_column.shape));
        let existing = there.get(&**name);
        let add = || declared(alter().sql(" add column if not exists "), declared_column);
        let difference = table.column_difference(at, &sql_type, existing);
        let statement = match &difference {
            None if existing.is_none() => add(),
            None => continue,
            Some(ColumnDifference::Key) => return Err(differs(ColumnDifference::Key.to_string())),
            Some(ColumnDifference::NotNull(_)) => column(name).sql(" drop not null"),
            Some(ColumnDifference::Missing(_)) => add(),
            Some(ColumnDifference::Nullable(_)) => column(name).sql(" set not null"),
            Some(ColumnDifference::Type { .. }) => {
                let statement = column(name).sql(&format!(" type {sql_type} using cast("));
                statement.name(name).sql(&format!(" as {sql_type})"))
            }
        };
        let difference = difference.filter(|it| !matches!(it, ColumnDifference::NotNull(_)));
        let destructive = difference.map(|it| format!("`{}`: {it}", table.name));
        changes.push(SchemaChange { statement, destructive });
        // `column_difference` returns the first difference only.
        let retyped = existing.filter(|it| !it.sql_type.eq_ignore_ascii_case(&sql_type));
        match retyped.map(|existing| (existing.not_null, declared_column.nullable)) {
            Some((true, true)) => changes.push(additive(column(name).sql(" drop not null"))),
            Some((false, false)) => {
                let statement = column(name).sql(" set not null");
                let difference = ColumnDifference::Nullable(name.to_string());
                let destructive = Some(format!("`{}`: {difference}", table.name));
                changes.push(SchemaChange { statement, destructive });
            }
            _ => {}
        }
    }
    for (name, existing) in &there {
        let known = [RUN, ORDER].contains(&name.as_str());
        if known || table.columns.iter().any(|column| *column.name == **name) {
            continue;
        }
        match existing.key {
            Some(_) => return Err(differs(ColumnDifference::Key.to_string())),
            None if existing.not_null => changes.push(additive(column(name).sql(" drop not null"))),
            None => {}
        }
    }
    Ok(changes)
}

fn create(table: &TableDef) -> Statement {
    let mut statement =
        Statement::default().sql("create table if not exists ").name(&table.name).sql(" (");
    for column in &table.columns {
        statement = declared(statement, column).sql(", ");
    }
    let key = table.key_columns().map(|column| column.name.as_ref());
    statement.name(RUN).sql(" text, ").name(ORDER).sql(" text, primary key (").names(key).sql("))")
}

fn declared(statement: Statement, column: &Column) -> Statement {
    let null = if column.nullable { "" } else { " not null" };
    statement.name(&column.name).sql(&format!(" {}{null}", type_of(column.shape)))
}

/// Returns a column's type, as `format_type` of PostgreSQL writes it.
fn type_of(shape: ColumnShape) -> String {
    match shape {
        ColumnShape::Text(Some(length)) => format!("character varying({length})"),
        ColumnShape::Text(None) | ColumnShape::Currency | ColumnShape::Email => "text".to_owned(),
        ColumnShape::Integer => "bigint".to_owned(),
        ColumnShape::Boolean => "boolean".to_owned(),
        ColumnShape::Decimal { precision, scale } => format!("numeric({precision},{scale})"),
        ColumnShape::Date => "date".to_owned(),
        ColumnShape::Timestamp => "timestamp(3) with time zone".to_owned(),
    }
}

async fn columns(
    database: &dyn Database,
    table: &TableDef,
) -> Result<BTreeMap<String, ExistingColumn>, StepError> {
    let statement = Statement::default()
        .sql(
            "select cast(a.attname as text), format_type(a.atttypid, a.atttypmod), cast(a.attnotnull as text), \
             cast(array_position(cast(i.indkey as smallint[]), a.attnum) as text) from pg_attribute a \
             join pg_class r on r.oid = a.attrelid left join pg_index i on i.indrelid = r.oid and i.indisprimary \
             where pg_table_is_visible(r.oid) and a.attnum > 0 and not a.attisdropped and r.relname = ",
        )
        .text(&*table.name);
    let rows = database.run(&statement).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match row.as_slice() {
            [Some(name), Some(sql_type), not_null, position] => {
                let not_null = not_null.as_deref() == Some("true");
                // An `int2vector` counts from 0.
                let position = position.as_deref().and_then(|position| position.parse().ok());
                let sql_type = sql_type.clone();
                Some((name.clone(), ExistingColumn { sql_type, not_null, key: position }))
            }
            _ => None,
        })
        .collect())
}

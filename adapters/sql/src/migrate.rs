//! Creates tables and adds columns. A change that would lose or alter data is an error.

use std::collections::BTreeMap;

use oms_core::effects::StepError;
use oms_core::table::{Column, ColumnShape, ExistingColumn, TableDef};

use crate::database::Database;
use crate::row::{ORDER, RUN};
use crate::statement::Statement;
use crate::versions;

/// The tables of `oms`: claims, completed effects that must not be repeated, handlers' notes, and
/// the progress of the search for lost orders.
const OMS_TABLES: [&str; 5] = [
    "create table if not exists oms_claims (key text primary key, run text not null, step text not null, attempt text not null, \
     state text not null check (state in ('claimed', 'done', 'free')), lease_until timestamptz not null, provider_id text, \
     claimed_at timestamptz not null default now())",
    "create table if not exists oms_effects (key text primary key, run text not null, step text not null, \
     done_at timestamptz not null default now())",
    "create table if not exists oms_branches (pipeline text not null, handler text not null, object text not null, key text not null, \
     run text not null, state text not null check (state in ('completed', 'parked')), cause text, reason text, \
     at timestamptz not null default now(), primary key (pipeline, handler, object))",
    "create index if not exists oms_branches_by_key on oms_branches (pipeline, key)",
    "create table if not exists oms_cursors (pipeline text primary key, object text)",
];

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
            Self::Database(error) => write!(f, "cannot create the tables: {error}"),
        }
    }
}

impl std::error::Error for MigrateError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Differs { .. } => None,
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
    oms_tables().chain(tables.map(create)).collect()
}

fn oms_tables() -> impl Iterator<Item = Statement> {
    OMS_TABLES.iter().chain(&versions::DEFINITIONS).map(|own| Statement::default().sql(own))
}

/// Creates missing tables and missing nullable columns. A repeated call changes nothing.
///
/// # Errors
/// Returns an error if an existing table differs in another way, or if the database fails.
pub async fn migrate(
    database: &dyn Database,
    tables: impl Iterator<Item = &TableDef> + Send,
) -> Result<(), MigrateError> {
    for statement in oms_tables() {
        database.run(&statement).await?;
    }
    for table in tables {
        ensure(database, table).await?;
    }
    Ok(())
}

async fn ensure(database: &dyn Database, table: &TableDef) -> Result<(), MigrateError> {
    database.run(&create(table)).await?;
    let there = columns(database, table).await?;
    let differs =
        |difference: String| MigrateError::Differs { table: table.name.to_string(), difference };
    for (at, column) in table.columns.iter().enumerate() {
        let existing = there.get(&*column.name);
        if let Some(difference) = table.column_difference(at, &type_of(column.shape), existing) {
            return Err(differs(difference.to_string()));
        }
        if existing.is_none() {
            let statement = Statement::default().sql("alter table ").name(&table.name);
            let statement = declared(statement.sql(" add column if not exists "), column);
            database.run(&statement).await?;
        }
    }
    if !there.contains_key(RUN) || !there.contains_key(ORDER) {
        return Err(differs("it was not created by oms".to_owned()));
    }
    Ok(())
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

//! The tables port, with one statement per call.

use std::sync::Arc;

use oms_core::effects::{Call, InsertResult, Io, StepError, Tables, Update, cause};
use oms_core::table::TableDef;
use oms_core::value::Value;

use crate::branches::{When, with_done_note};
use crate::database::Database;
use crate::row::{self, ORDER, RUN};
use crate::statement::Statement;
use crate::update;
use crate::versions::{checked, item, record_version};

/// The tables of a pipeline in a database.
pub struct SqlTables {
    database: Arc<dyn Database>,
}

impl SqlTables {
    /// Returns the tables of a database that were created by [`migrate`](crate::migrate()).
    pub fn new(database: Arc<dyn Database>) -> Self {
        Self { database }
    }
}

impl Tables for SqlTables {
    /// Inserts a row together with its owner, in one statement. Of two concurrent inserts, the
    /// second locks and returns the row of the first. With `on conflict do nothing`, the second
    /// might see no row.
    fn insert<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        row: Value,
    ) -> Io<'a, InsertResult> {
        Box::pin(async move {
            let statement = insert(call, table, &row);
            let rows = record_version(call, table, &row, self.database.run(&statement).await)?;
            let answer: Vec<Option<&str>> =
                rows.first().into_iter().flatten().map(Option::as_deref).collect();
            match answer.as_slice() {
                [Some("true"), ..] => Ok(InsertResult::New),
                [_, Some(run), Some(order)] if *run == &*call.run.id => {
                    if *order == call.run.digest.to_string() {
                        return Ok(InsertResult::Repeated);
                    }
                    let message = format!("the row in `{}` belongs to another order", table.name);
                    Err(StepError::permanent(cause::CONFLICT, message))
                }
                _ => Err(StepError::row_of_another_run(&table.name)),
            }
        })
    }

    /// Writes a row and records that the step wrote it, in one statement. A repetition of the step
    /// therefore does not undo later changes by other runs.
    fn upsert<'a>(&'a self, call: &'a Call, table: &'a Arc<TableDef>, row: Value) -> Io<'a, ()> {
        Box::pin(async move {
            let statement = upsert(call, table, &row);
            record_version(call, table, &row, self.database.run(&statement).await).map(drop)
        })
    }

    /// Reads the row, computes the change, and writes it if the row is unchanged.
    fn update<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        update: Update,
    ) -> Io<'a, bool> {
        Box::pin(update::run(&*self.database, call, table, update))
    }

    /// Reads a row and its version in one statement, so that they match.
    fn get<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        key: Vec<Value>,
    ) -> Io<'a, Option<Value>> {
        Box::pin(async move {
            let item = call.reads.is_contended(&table.name).then(|| item(table, key.iter()));
            let rows = self.database.run(&select(table, &key, item.as_deref())).await?;
            let Some(item) = item else {
                return rows.first().map(|found| row::read(table, found)).transpose();
            };
            let Some([version, there, found @ ..]) = rows.first().map(Vec::as_slice) else {
                return Ok(None);
            };
            let version = version.as_deref().and_then(|version| version.parse().ok());
            call.reads.record_read(item, version.unwrap_or(0));
            there.as_ref().map(|_| row::read(table, found)).transpose()
        })
    }
}

/// Selects a row. With `item`, the result always has one row. It begins with the version, and with
/// a column that is null if the selected row does not exist.
fn select(table: &TableDef, key: &[Value], item: Option<&str>) -> Statement {
    let mut statement = Statement::default().sql("select ");
    if let Some(item) = item {
        statement = statement
            .sql("(select cast(version as text) from oms_versions where item = ")
            .text(item)
            .sql("), there, ");
    }
    statement = row::columns_as_text(statement, table).sql(" from ");
    if item.is_some() {
        statement = statement.sql("(select 1) one left join (select 'true' as there, * from ");
    }
    statement = statement.name(&table.name);
    for (at, (column, value)) in table.key_columns().zip(key).enumerate() {
        statement = statement.sql(if at == 0 { " where " } else { " and " });
        statement = statement.name(&column.name).sql(" = ").value(column.shape, value);
    }
    if item.is_some() { statement.sql(") found on true") } else { statement }
}

fn insert(call: &Call, table: &TableDef, row: &Value) -> Statement {
    let key: Vec<&str> = table.key_columns().map(|column| column.name.as_ref()).collect();
    let first = key.first().copied().unwrap_or_default();
    let columns = table.columns.iter().map(|column| column.name.as_ref());
    let checked = checked(call, table, row);
    let from = if checked.is_some() { " from checked where unchanged" } else { "" };
    let statement = match checked {
        Some(checked) => checked.sql(", written as (insert into "),
        None => Statement::default().sql("with written as (insert into "),
    };
    let statement = statement.name(&table.name);
    let statement = statement.sql(" as t (").names(columns.chain([RUN, ORDER])).sql(") select ");
    let statement = row::values(statement, table, row);
    let statement = statement.sql(", ").text(&*call.run.id).sql(", ");
    let statement = statement.text(call.run.digest.to_string()).sql(from).sql(" on conflict (");
    let statement = statement.names(key.into_iter()).sql(") do update set ").name(first);
    let statement = statement
        .sql(" = excluded.")
        .name(first)
        // Only a row that existed before and was updated by this statement has an `xmax`.
        .sql(" returning cast(t.xmax = 0 as text) as fresh, t.")
        .name(RUN)
        .sql(", t.")
        .name(ORDER)
        .sql(")");
    // If the row belongs to another run, this run's handler is not done.
    let statement = with_done_note(statement, call, When::Written);
    statement.sql(" select fresh, ").name(RUN).sql(", ").name(ORDER).sql(" from written")
}

fn upsert(call: &Call, table: &TableDef, row: &Value) -> Statement {
    let key = table.key_columns().map(|column| column.name.as_ref());
    let columns = table.columns.iter().map(|column| column.name.as_ref());
    let checked = checked(call, table, row);
    let from =
        if checked.is_some() { " from first, checked where unchanged" } else { " from first" };
    let statement = match checked {
        Some(checked) => {
            checked.sql(", first as (insert into oms_effects (key, run, step) values (")
        }
        None => Statement::default()
            .sql("with first as (insert into oms_effects (key, run, step) values ("),
    };
    let statement = statement
        .text(&*call.key)
        .sql(", ")
        .text(&*call.run.id)
        .sql(", ")
        .text(&*call.step)
        .sql(") on conflict (key) do nothing returning key)");
    let statement = with_done_note(statement, call, When::Always)
        .sql(" insert into ")
        .name(&table.name)
        .sql(" (")
        .names(columns.chain([RUN, ORDER]))
        .sql(") select ");
    let statement = row::values(statement, table, row);
    let statement = statement.sql(", ").text(&*call.run.id).sql(", ");
    let statement = statement.text(call.run.digest.to_string());
    let statement = statement.sql(from).sql(" on conflict (").names(key).sql(") do update set ");
    row::replaced(statement, table)
}

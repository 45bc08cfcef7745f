//! The tables port, a statement for each call.

use std::sync::Arc;

use oms_engine::effects::{Call, Inserted, Io, StepError, Tables, cause};
use oms_engine::table::TableDef;
use oms_engine::value::Value;

use crate::branches::{When, with};
use crate::database::Database;
use crate::row::{self, ORDER, RUN};
use crate::statement::Statement;

/// The tables of a pipeline in a database.
pub struct SqlTables {
    database: Arc<dyn Database>,
}

impl SqlTables {
    /// Works on a database whose tables were made by [`migrate`](crate::migrate()).
    pub fn new(database: Arc<dyn Database>) -> Self {
        Self { database }
    }
}

impl Tables for SqlTables {
    /// The row and the record of who wrote it are one statement. Of two at the same moment the second one sees the row of the first: `on
    /// conflict do nothing` might see none, and this way the row is locked and given back.
    fn insert<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        row: Value,
    ) -> Io<'a, Inserted> {
        Box::pin(async move {
            let statement = insert(call, table, &row);
            let rows = self.database.run(&statement).await?;
            let answer: Vec<Option<&str>> =
                rows.first().into_iter().flatten().map(Option::as_deref).collect();
            match answer.as_slice() {
                [Some("true"), ..] => Ok(Inserted::New),
                [_, Some(run), Some(order)] if *run == &*call.run.id => {
                    if *order == call.run.digest.to_string() {
                        return Ok(Inserted::Repeated);
                    }
                    let message = format!("the row in `{}` is of another order", table.name);
                    Err(StepError::permanent(cause::CONFLICT, message))
                }
                _ => {
                    let message =
                        format!("another run wrote a row with that key to `{}`", table.name);
                    Err(StepError::permanent(cause::CONFLICT, message))
                }
            }
        })
    }

    /// The note that the step did it and the row are one statement, so that a repetition does not undo what others wrote since.
    fn upsert<'a>(&'a self, call: &'a Call, table: &'a Arc<TableDef>, row: Value) -> Io<'a, ()> {
        Box::pin(async move {
            let statement = upsert(call, table, &row);
            self.database.run(&statement).await.map(drop)
        })
    }

    fn get<'a>(
        &'a self,
        _: &'a Call,
        table: &'a Arc<TableDef>,
        key: Vec<Value>,
    ) -> Io<'a, Option<Value>> {
        Box::pin(async move {
            let statement = row::columns_as_text(Statement::default().sql("select "), table);
            let mut statement = statement.sql(" from ").name(&table.name);
            for (at, (column, value)) in table.key_columns().zip(&key).enumerate() {
                statement = statement.sql(if at == 0 { " where " } else { " and " });
                statement = statement.name(&column.name).sql(" = ").value(column.shape, value);
            }
            let rows = self.database.run(&statement).await?;
            rows.first().map(|found| row::read(table, found)).transpose()
        })
    }
}

fn insert(call: &Call, table: &TableDef, row: &Value) -> Statement {
    let key: Vec<&str> = table.key_columns().map(|column| column.name.as_ref()).collect();
    let first = key.first().copied().unwrap_or_default();
    let columns = table.columns.iter().map(|column| column.name.as_ref());
    let statement = Statement::default().sql("with written as (insert into ").name(&table.name);
    let statement = statement.sql(" as t (").names(columns.chain([RUN, ORDER])).sql(") values (");
    let statement = row::values(statement, table, row);
    let statement = statement.sql(", ").text(&*call.run.id).sql(", ");
    let statement = statement.text(call.run.digest.to_string()).sql(") on conflict (");
    let statement = statement.names(key.into_iter()).sql(") do update set ").name(first);
    let statement = statement
        .sql(" = excluded.")
        .name(first)
        // A row that was there has been updated by this statement, and only such a row has an `xmax`.
        .sql(" returning cast(t.xmax = 0 as text) as fresh, t.")
        .name(RUN)
        .sql(", t.")
        .name(ORDER)
        .sql(")");
    // Another's row is no reason to note that this run is done.
    let statement = with(statement, call, When::Written);
    statement.sql(" select fresh, ").name(RUN).sql(", ").name(ORDER).sql(" from written")
}

fn upsert(call: &Call, table: &TableDef, row: &Value) -> Statement {
    let key = table.key_columns().map(|column| column.name.as_ref());
    let columns = table.columns.iter().map(|column| column.name.as_ref());
    let statement = Statement::default()
        .sql("with first as (insert into oms_effects (key, run, step) values (")
        .text(&*call.key)
        .sql(", ")
        .text(&*call.run.id)
        .sql(", ")
        .text(&*call.step)
        .sql(") on conflict (key) do nothing returning key)");
    let statement = with(statement, call, When::Always)
        .sql(" insert into ")
        .name(&table.name)
        .sql(" (")
        .names(columns.chain([RUN, ORDER]))
        .sql(") select ");
    let statement = row::values(statement, table, row);
    let statement = statement.sql(", ").text(&*call.run.id).sql(", ");
    let statement = statement.text(call.run.digest.to_string());
    let statement = statement.sql(" from first on conflict (").names(key).sql(") do update set ");
    row::replaced(statement, table)
}

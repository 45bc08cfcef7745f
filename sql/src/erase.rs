//! Erasing what tables say of a person, and leaving the sums.

use oms_engine::effects::StepError;
use oms_engine::plan::Plan;
use oms_engine::table::{Column, TableDef};

use crate::database::Database;
use crate::row::RUN;
use crate::statement::Statement;

/// Runs in one statement at the most.
const RUNS: usize = 100;

/// Adds which rows are meant.
type Wanted<'a> = &'a (dyn Fn(Statement) -> Statement + Sync);

/// Erases the personal columns of the rows that runs wrote. Of the rows that have a value, if one is given, those of tables that no step writes to are deleted, and others lose their personal columns.
/// Returns how many rows were changed or deleted.
///
/// # Errors
/// What the database said; it can be done again.
pub async fn erase(
    database: &dyn Database,
    plan: &Plan,
    runs: &[String],
    value: Option<&str>,
) -> Result<u64, StepError> {
    let mut rows = 0;
    let is_personal = |table: &&TableDef| table.columns.iter().any(|column| column.pii);
    for table in plan.tables().iter().map(AsRef::as_ref).filter(is_personal) {
        let is_written = plan.writes_to(&table.name);
        for some in runs.chunks(RUNS).filter(|_| is_written) {
            let by_runs = |statement| written_by(statement, some);
            rows += empty(database, table, &by_runs).await?;
        }
        let Some(value) = value else { continue };
        let having = |statement| has(statement, table, value);
        rows += match is_written {
            true => empty(database, table, &having).await?,
            false => {
                let statement = Statement::default().sql("delete from ").name(&table.name);
                changed(database, having(statement.sql(" where "))).await?
            }
        };
    }
    Ok(rows)
}

fn written_by(statement: Statement, runs: &[String]) -> Statement {
    let statement = statement.name(RUN).sql(" in (");
    let bound = runs.iter().enumerate().fold(statement, |statement, (at, run)| {
        statement.sql(if at == 0 { "" } else { ", " }).text(run)
    });
    bound.sql(")")
}

fn has(statement: Statement, table: &TableDef, value: &str) -> Statement {
    table.columns.iter().enumerate().fold(statement, |statement, (at, column)| {
        let statement = statement.sql(if at == 0 { "cast(" } else { " or cast(" });
        statement.name(&column.name).sql(" as text) = ").text(value)
    })
}

/// Empties the personal columns of rows.
async fn empty(
    database: &dyn Database,
    table: &TableDef,
    wanted: Wanted<'_>,
) -> Result<u64, StepError> {
    let (keys, others): (Vec<&Column>, Vec<&Column>) = table
        .columns
        .iter()
        .filter(|column| column.pii)
        .partition(|column| table.key_columns().any(|key| key.name == column.name));
    let mut rows = 0;
    let update = || Statement::default().sql("update ").name(&table.name).sql(" set ");
    if !others.is_empty() {
        let pairs = |statement: Statement, is: &str, between: &str| {
            others.iter().enumerate().fold(statement, |statement, (at, column)| {
                let statement = statement.sql(if at == 0 { "" } else { between });
                statement.name(&column.name).sql(is).value(column.shape, &column.erased())
            })
        };
        let statement = wanted(pairs(update(), " = ", ", ").sql(" where (")).sql(") and (");
        rows += changed(database, pairs(statement, " is distinct from ", " or ").sql(")")).await?;
    }
    for column in keys {
        let statement = Statement::default().sql("select distinct cast(").name(&column.name);
        let statement = statement.sql(" as text) from ").name(&table.name).sql(" where ");
        for key in database.run(&wanted(statement)).await?.into_iter().flatten().flatten() {
            let statement = update().name(&column.name).sql(" = ");
            let statement = statement.text(column.erased_key(&key)).sql(" where (");
            let statement = wanted(statement).sql(") and cast(").name(&column.name);
            rows += changed(database, statement.sql(" as text) = ").text(key)).await?;
        }
    }
    Ok(rows)
}

/// Runs a statement that changes rows, and returns how many.
async fn changed(database: &dyn Database, statement: Statement) -> Result<u64, StepError> {
    let counted = Statement::default()
        .sql("with changed as (")
        .then(statement)
        .sql(" returning 1) select cast(count(*) as text) from changed");
    let rows = database.run(&counted).await?;
    let count = rows.into_iter().flatten().flatten().next();
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or_default())
}

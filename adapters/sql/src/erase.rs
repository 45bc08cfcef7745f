//! Erases a customer's personal data from tables, and keeps the amounts. The embedded database uses
//! the same rules.

use std::sync::Arc;

use oms_core::effects::{Erase, Io, StepError};
use oms_core::table::{Column, Customer, EraseMode, Identity, RowCounts, TableDef, TableUse};
use oms_core::value::Value;

use crate::database::Database;
use crate::row::RUN;
use crate::statement::Statement;

/// Maximum number of runs in one statement.
const RUNS: usize = 100;

/// Adds a condition that selects rows.
type Condition<'a> = &'a (dyn Fn(Statement) -> Statement + Sync);

/// Erases personal data in a database.
pub struct SqlErasure(Arc<dyn Database>);

impl SqlErasure {
    /// Returns an eraser for the tables of a database.
    pub const fn new(database: Arc<dyn Database>) -> Self {
        Self(database)
    }
}

impl Erase for SqlErasure {
    fn identities<'a>(
        &'a self,
        tables: &'a [TableUse],
        customer: &'a Customer,
    ) -> Io<'a, Vec<Identity>> {
        Box::pin(naming(&*self.0, tables, customer))
    }

    fn erase_runs<'a>(
        &'a self,
        tables: &'a [TableUse],
        runs: &'a [String],
        erasing: EraseMode,
    ) -> Io<'a, RowCounts> {
        Box::pin(erase_of_runs(&*self.0, tables, runs, erasing))
    }

    fn erase_customer<'a>(
        &'a self,
        tables: &'a [TableUse],
        customer: &'a Customer,
        erasing: EraseMode,
    ) -> Io<'a, RowCounts> {
        Box::pin(erase_of_customer(&*self.0, tables, customer, erasing))
    }
}

/// Returns the identities in the rows that name one of the customer's ids or addresses.
///
/// # Errors
/// Returns an error if the database fails.
async fn naming(
    database: &dyn Database,
    tables: &[TableUse],
    customer: &Customer,
) -> Result<Vec<Identity>, StepError> {
    let mut found = Vec::new();
    for TableUse { table, .. } in tables.iter().filter(|used| used.table.names_customers()) {
        let mut statement = Statement::default().sql("select ");
        statement = match table.customer_id() {
            Some(id) => as_text(statement, id),
            None => statement.sql("cast(null as text)"),
        };
        for email in table.customer_emails() {
            statement = as_text(statement.sql(", "), email);
        }
        statement = statement.sql(" from ").name(&table.name).sql(" where (");
        statement = match table.customer_id() {
            Some(id) => one_of(as_text(statement, id), customer.ids()),
            None => statement.sql("false"),
        };
        statement = any_email(statement.sql(") or ("), table, customer).sql(")");
        for row in database.run(&statement).await? {
            let mut values = row.into_iter();
            let mut identity = Identity::default();
            identity.set_id(values.next().flatten().unwrap_or_default());
            values.flatten().for_each(|email| identity.add_email(&email));
            found.push(identity);
        }
    }
    Ok(found)
}

/// Erases or counts the rows that runs wrote and that name no customer.
///
/// # Errors
/// Returns an error if the database fails. The call can be repeated.
async fn erase_of_runs(
    database: &dyn Database,
    tables: &[TableUse],
    runs: &[String],
    erasing: EraseMode,
) -> Result<RowCounts, StepError> {
    let mut counts = RowCounts::new();
    let written = |used: &&TableUse| used.is_written && used.table.is_personal();
    for TableUse { table, .. } in tables.iter().filter(written) {
        let mut rows = 0;
        for some in runs.chunks(RUNS) {
            let condition = |statement| of_runs(statement, table, some);
            rows += clear(database, table, &condition, erasing).await?;
        }
        counts.insert(table.name.to_string(), rows);
    }
    Ok(counts)
}

/// Erases or counts the rows that belong to a customer.
///
/// # Errors
/// Returns an error if the database fails. The call can be repeated.
async fn erase_of_customer(
    database: &dyn Database,
    tables: &[TableUse],
    customer: &Customer,
    erasing: EraseMode,
) -> Result<RowCounts, StepError> {
    let mut counts = RowCounts::new();
    // Rows with an address are needed to find the customer's other data, so they come last. After
    // an error, a repeated call still finds the remaining rows.
    let has_emails = |table: &TableDef| table.customer_emails().next().is_some();
    let mut tables: Vec<&TableUse> =
        tables.iter().filter(|used| used.table.names_customers()).collect();
    tables.sort_by_key(|used| has_emails(&used.table));
    for TableUse { table, is_written } in tables {
        let condition = |statement| of_customer(statement, table, customer);
        let rows = match (*is_written, erasing) {
            (true, _) => clear(database, table, &condition, erasing).await?,
            (false, EraseMode::Count) => count(database, table, &condition).await?,
            (false, EraseMode::Erase) => {
                let statement = Statement::default().sql("delete from ").name(&table.name);
                rows_changed(database, condition(statement.sql(" where "))).await?
            }
        };
        counts.insert(table.name.to_string(), rows);
    }
    Ok(counts)
}

fn as_text(statement: Statement, column: &Column) -> Statement {
    statement.sql("cast(").name(&column.name).sql(" as text)")
}

fn one_of<'v>(statement: Statement, values: impl IntoIterator<Item = &'v String>) -> Statement {
    // An SQL list must not be empty, and no value equals null.
    let statement = statement.sql(" in (null");
    let bound = values
        .into_iter()
        .fold(statement, |statement, value| statement.sql(", ").text(value.as_str()));
    bound.sql(")")
}

/// Adds the condition that an address in the row belongs to the customer. With this collation,
/// `lower` changes only ASCII letters, as in the embedded database.
fn any_email(statement: Statement, table: &TableDef, customer: &Customer) -> Statement {
    table.customer_emails().fold(statement.sql("false"), |statement, email| {
        let statement = statement.sql(" or lower(").name(&email.name);
        one_of(statement.sql(" collate \"C\")"), customer.emails())
    })
}

fn of_customer(statement: Statement, table: &TableDef, customer: &Customer) -> Statement {
    match table.customer_id() {
        Some(id) => {
            let statement = one_of(as_text(statement.sql("("), id), customer.ids());
            let statement = as_text(statement.sql(" or (coalesce("), id).sql(", '') = '' and (");
            any_email(statement, table, customer).sql(")))")
        }
        None => any_email(statement.sql("("), table, customer).sql(")"),
    }
}

fn of_runs(statement: Statement, table: &TableDef, runs: &[String]) -> Statement {
    let statement = one_of(statement.sql("(").name(RUN), runs);
    let customers = table.columns.iter().filter(|column| column.customer);
    let unnamed = customers.fold(statement, |statement, column| {
        let statement = as_text(statement.sql(" and coalesce("), column);
        statement.sql(", '') = ''")
    });
    unnamed.sql(")")
}

/// Empties the personal columns of rows. Personal key columns get a digest instead.
async fn clear(
    database: &dyn Database,
    table: &TableDef,
    condition: Condition<'_>,
    erasing: EraseMode,
) -> Result<u64, StepError> {
    let is_key = |column: &&Column| table.key_columns().any(|key| key.name == column.name);
    let (keys, others): (Vec<&Column>, Vec<&Column>) =
        table.columns.iter().filter(|column| column.pii).partition(is_key);
    let pairs = |statement: Statement, is: &str, between: &str| {
        others.iter().enumerate().fold(statement, |statement, (at, column)| {
            let statement = statement.sql(if at == 0 { "" } else { between });
            statement.name(&column.name).sql(is).value(column.shape, &column.erased())
        })
    };
    let full = |statement: Statement| match others.as_slice() {
        [] => condition(statement),
        _ => pairs(condition(statement).sql(" and ("), " is distinct from ", " or ").sql(")"),
    };
    if erasing == EraseMode::Count {
        return match keys.as_slice() {
            [] => count(database, table, &full).await,
            _ => count(database, table, condition).await,
        };
    }
    // The key identifies the rows, so personal key columns come last.
    let rows = match keys.as_slice() {
        [] => Vec::new(),
        _ => {
            let mut statement = Statement::default().sql("select ");
            for (at, column) in table.key_columns().enumerate() {
                statement = as_text(statement.sql(if at == 0 { "" } else { ", " }), column);
            }
            let statement = statement.sql(" from ").name(&table.name).sql(" where ");
            database.run(&condition(statement)).await?
        }
    };
    let mut cleared = 0;
    if !others.is_empty() {
        let statement = Statement::default().sql("update ").name(&table.name).sql(" set ");
        let statement = pairs(statement, " = ", ", ").sql(" where ");
        cleared = rows_changed(database, full(statement)).await?;
    }
    for row in &rows {
        let key: Vec<&str> = row.iter().map(|value| value.as_deref().unwrap_or_default()).collect();
        replace_key(database, table, &key).await?;
    }
    Ok(if keys.is_empty() { cleared } else { rows.len() as u64 })
}

/// Replaces the personal columns of a key with digests. Deletes the row if its key cannot be
/// replaced.
async fn replace_key(
    database: &dyn Database,
    table: &TableDef,
    key: &[&str],
) -> Result<(), StepError> {
    let columns: Vec<&Column> = table.key_columns().collect();
    let old = |statement: Statement| {
        columns.iter().zip(key).enumerate().fold(statement, |statement, (at, (column, value))| {
            let statement = as_text(statement.sql(if at == 0 { "" } else { " and " }), column);
            statement.sql(" = ").text(*value)
        })
    };
    for attempt in 0..Column::ERASED_KEYS {
        let erased: Option<Vec<(&Column, Value)>> = columns
            .iter()
            .zip(key)
            .filter(|(column, _)| column.pii)
            .map(|(column, value)| Some((*column, column.erased_key(value, attempt)?)))
            .collect();
        let Some(erased) = erased else { break };
        let replaced = |statement: Statement, first: &str, between: &str| {
            erased.iter().enumerate().fold(statement, |statement, (at, (column, value))| {
                let statement = statement.sql(if at == 0 { first } else { between });
                statement.name(&column.name).sql(" = ").value(column.shape, value)
            })
        };
        // Another row may have the same digest.
        let statement = Statement::default().sql("update ").name(&table.name).sql(" set ");
        let statement = old(replaced(statement, "", ", ").sql(" where "));
        let statement = statement.sql(" and not exists (select 1 from ").name(&table.name);
        let statement = replaced(statement.sql(" where "), "", " and ");
        let rest = columns.iter().zip(key).filter(|(column, _)| !column.pii);
        let statement = rest.fold(statement, |statement, (column, value)| {
            as_text(statement.sql(" and "), column).sql(" = ").text(*value)
        });
        if rows_changed(database, statement.sql(")")).await? > 0 {
            return Ok(());
        }
    }
    let statement = Statement::default().sql("delete from ").name(&table.name).sql(" where ");
    rows_changed(database, old(statement)).await.map(drop)
}

async fn count(
    database: &dyn Database,
    table: &TableDef,
    condition: Condition<'_>,
) -> Result<u64, StepError> {
    let statement = Statement::default().sql("select cast(count(*) as text) from ");
    first_number(database, &condition(statement.name(&table.name).sql(" where "))).await
}

/// Runs a statement that changes rows, and returns the number of rows.
async fn rows_changed(database: &dyn Database, statement: Statement) -> Result<u64, StepError> {
    let counted = Statement::default()
        .sql("with changed as (")
        .then(statement)
        .sql(" returning 1) select cast(count(*) as text) from changed");
    first_number(database, &counted).await
}

async fn first_number(database: &dyn Database, statement: &Statement) -> Result<u64, StepError> {
    let rows = database.run(statement).await?;
    let count = rows.into_iter().flatten().flatten().next();
    Ok(count.and_then(|count| count.parse().ok()).unwrap_or_default())
}

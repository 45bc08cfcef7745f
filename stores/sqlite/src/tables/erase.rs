//! Erases a customer's personal data from the pipeline's tables, and keeps the amounts.
//!
//! A row belongs to the customer that its `customer` columns name, no matter which run wrote it. A
//! row without a customer belongs to the run that wrote it. In tables to which steps write, the
//! personal columns of the rows are emptied. In other tables, the rows are deleted.

use oms_core::table::{Column, Customer, EraseMode, Identity, RowCounts, TableDef, TableUse};
use oms_core::value::Value;
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use serde_json::json;

use crate::error::Error;
use crate::tables::definition::quoted;
use crate::tables::seed_rows::SeedRow;

/// Returns SQL for the elements of a JSON array that is bound as a parameter.
fn elements(parameter: usize) -> String {
    format!("(select value from json_each(?{parameter}))")
}

/// Rows of a table: a condition with the values of its parameters.
struct Rows<'t> {
    table: &'t TableDef,
    condition: String,
    values: Vec<Sql>,
}

impl<'t> Rows<'t> {
    /// Returns the rows that belong to a customer, or `None` if no column of the table names one.
    fn of_customer(table: &'t TableDef, customer: &Customer) -> Option<Self> {
        let emails = any_email(table, 2);
        let condition = match table.customer_id() {
            Some(id) => {
                let id = quoted(&id.name);
                format!(
                    "cast({id} as text) in {} or (coalesce({id}, '') = '' and ({emails}))",
                    elements(1)
                )
            }
            None => emails,
        };
        let values = values(table, customer);
        table.names_customers().then_some(Self { table, condition, values })
    }

    /// Returns the rows that runs wrote and that name no customer.
    fn of_runs(table: &'t TableDef, runs: &[i64]) -> Self {
        let customers = table.columns.iter().filter(|column| column.customer);
        let unnamed = customers.map(|column| {
            let name = quoted(&column.name);
            format!(" and coalesce({name}, '') = ''")
        });
        let condition = format!("oms_run in {}{}", elements(1), unnamed.collect::<String>());
        Self { table, condition, values: vec![Sql::Text(json!(runs).to_string())] }
    }

    fn execute(&self, connection: &Connection, sql: &str) -> Result<u64, Error> {
        Ok(connection.execute(sql, params_from_iter(&self.values))? as u64)
    }

    /// Returns the keys of the rows.
    fn keys(&self, connection: &Connection) -> Result<Vec<Vec<Sql>>, Error> {
        let Self { table, condition, values } = self;
        let columns: Vec<String> = table.key_columns().map(|column| quoted(&column.name)).collect();
        let sql =
            format!("select {} from {} where {condition}", columns.join(", "), quoted(&table.name));
        let mut statement = connection.prepare(&sql)?;
        let keys = statement.query_map(params_from_iter(values), |row| {
            (0..columns.len()).map(|at| row.get(at)).collect::<Result<Vec<Sql>, _>>()
        })?;
        Ok(keys.collect::<Result<_, _>>()?)
    }

    /// Deletes the rows, and records that seeds must not add them again.
    fn delete(&self, connection: &Connection, erasing: EraseMode) -> Result<u64, Error> {
        let (name, condition) = (quoted(&self.table.name), &self.condition);
        if erasing == EraseMode::Count {
            return self.count(connection, "true");
        }
        for key in self.keys(connection)? {
            SeedRow::ChangedByOthers.keep(connection, self.table, &key)?;
        }
        self.execute(connection, &format!("delete from {name} where {condition}"))
    }

    fn count(&self, connection: &Connection, and: &str) -> Result<u64, Error> {
        let (name, condition) = (quoted(&self.table.name), &self.condition);
        let sql = format!("select count(*) from {name} where ({condition}) and ({and})");
        let count: i64 =
            connection.query_row(&sql, params_from_iter(&self.values), |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Empties the personal columns of the rows. Personal key columns get a digest instead.
    fn clear(&self, connection: &Connection, erasing: EraseMode) -> Result<u64, Error> {
        let (name, condition) = (quoted(&self.table.name), &self.condition);
        let is_key = |column: &&Column| self.table.key_columns().any(|key| key.name == column.name);
        let personal = || self.table.columns.iter().filter(|column| column.pii);
        let pairs = |between: &str| -> Vec<String> {
            let others = personal().filter(|column| !is_key(column));
            others
                .map(|column| format!("{} {between} {}", quoted(&column.name), literal(column)))
                .collect()
        };
        let (emptied, full) = (pairs("=").join(", "), pairs("is not").join(" or "));
        let has_personal_key = personal().any(|column| is_key(&column));
        if erasing == EraseMode::Count {
            return self.count(connection, if has_personal_key { "true" } else { &full });
        }
        let keys = self.keys(connection)?;
        let mut changed = 0;
        if !emptied.is_empty() {
            let sql = format!("update {name} set {emptied} where ({condition}) and ({full})");
            changed = self.execute(connection, &sql)?;
        }
        for key in &keys {
            // The seed record contains a digest of the erased content, so the digest is removed.
            if SeedRow::find(connection, self.table, key)?.is_some() {
                SeedRow::ChangedByOthers.keep(connection, self.table, key)?;
            }
            if has_personal_key {
                replace_key(connection, self.table, key)?;
            }
        }
        Ok(if has_personal_key { keys.len() as u64 } else { changed })
    }
}

/// Returns the condition that an e-mail column of the table contains one of the customer's
/// addresses.
fn any_email(table: &TableDef, parameter: usize) -> String {
    let emails = table
        .customer_emails()
        .map(|column| format!("lower({}) in {}", quoted(&column.name), elements(parameter)));
    let emails: Vec<String> = emails.collect();
    if emails.is_empty() { "false".to_owned() } else { emails.join(" or ") }
}

/// Returns the values of the parameters: the ids, and the addresses if the table has e-mail
/// columns.
fn values(table: &TableDef, customer: &Customer) -> Vec<Sql> {
    let emails = table.customer_emails().next().map(|_| customer.emails());
    let all = [customer.ids()].into_iter().chain(emails);
    all.map(|values| Sql::Text(json!(values).to_string())).collect()
}

/// Returns the SQL literal for the value of an erased column.
fn literal(column: &Column) -> String {
    match column.erased() {
        Value::Null => "null".to_owned(),
        Value::Int(value) => value.to_string(),
        Value::Bool(value) => i64::from(value).to_string(),
        value => format!("'{}'", value.display()),
    }
}

/// Replaces the personal columns of a key with digests. Deletes the row if its key cannot be
/// replaced.
fn replace_key(connection: &Connection, table: &TableDef, key: &[Sql]) -> Result<(), Error> {
    let name = quoted(&table.name);
    let columns: Vec<&Column> = table.key_columns().collect();
    let joined = |first: usize, between: &str| {
        let pairs = columns.iter().enumerate();
        let pairs: Vec<String> = pairs
            .map(|(at, column)| format!("{} = ?{}", quoted(&column.name), first + at))
            .collect();
        pairs.join(between)
    };
    let (old, new) = (joined(1, " and "), joined(1 + columns.len(), ", "));
    let sql = format!("update or ignore {name} set {new} where {old}");
    for attempt in 0..Column::ERASED_KEYS {
        let erased: Option<Vec<Sql>> =
            columns.iter().zip(key).map(|(column, value)| erased(column, value, attempt)).collect();
        let Some(erased) = erased else { break };
        // Another row may have the same digest.
        if connection.execute(&sql, params_from_iter(key.iter().chain(&erased)))? > 0 {
            return Ok(());
        }
    }
    connection.execute(&format!("delete from {name} where {old}"), params_from_iter(key))?;
    Ok(())
}

fn erased(column: &Column, value: &Sql, attempt: u32) -> Option<Sql> {
    let text = match value {
        value if !column.pii => return Some(value.clone()),
        Sql::Text(text) => text.clone(),
        Sql::Integer(number) => number.to_string(),
        _ => return None,
    };
    match column.erased_key(&text, attempt)? {
        Value::Int(number) => Some(Sql::Integer(number)),
        value => Some(Sql::Text(value.display())),
    }
}

/// Erases or counts the rows that runs wrote and that name no customer.
pub(crate) fn of_runs(
    connection: &Connection,
    tables: &[TableUse],
    runs: &[i64],
    erasing: EraseMode,
) -> Result<RowCounts, Error> {
    let mut counts = RowCounts::new();
    let written = |used: &&TableUse| used.is_written && used.table.is_personal();
    for TableUse { table, .. } in tables.iter().filter(written) {
        let rows = Rows::of_runs(table, runs).clear(connection, erasing)?;
        counts.insert(table.name.to_string(), rows);
    }
    Ok(counts)
}

/// Erases or counts the rows that belong to a customer.
pub(crate) fn of_customer(
    connection: &Connection,
    tables: &[TableUse],
    customer: &Customer,
    erasing: EraseMode,
) -> Result<RowCounts, Error> {
    let mut counts = RowCounts::new();
    for TableUse { table, is_written } in tables {
        let Some(rows) = Rows::of_customer(table, customer) else { continue };
        let rows = match is_written {
            true => rows.clear(connection, erasing)?,
            false => rows.delete(connection, erasing)?,
        };
        counts.insert(table.name.to_string(), rows);
    }
    Ok(counts)
}

/// Returns the identities in the rows that name one of the customer's ids or e-mail addresses.
pub(crate) fn identities(
    connection: &Connection,
    tables: &[TableUse],
    customer: &Customer,
) -> Result<Vec<Identity>, Error> {
    let mut found = Vec::new();
    for TableUse { table, .. } in tables.iter().filter(|used| used.table.names_customers()) {
        let id = table.customer_id().map(|id| format!("cast({} as text)", quoted(&id.name)));
        let id = id.unwrap_or_else(|| "null".to_owned());
        let emails = table.customer_emails().map(|column| format!(", {}", quoted(&column.name)));
        let sql = format!(
            "select {id}{} from {} where {id} in {} or {}",
            emails.collect::<String>(),
            quoted(&table.name),
            elements(1),
            any_email(table, 2)
        );
        let mut statement = connection.prepare(&sql)?;
        let width = statement.column_count();
        let rows = statement.query_map(params_from_iter(values(table, customer)), |row| {
            let mut identity = Identity::default();
            identity.set_id(row.get::<_, Option<String>>(0)?.unwrap_or_default());
            for at in 1..width {
                identity.add_email(&row.get::<_, Option<String>>(at)?.unwrap_or_default());
            }
            Ok(identity)
        })?;
        found.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

//! Results of a customer search, with the order members and table columns that match.

use std::collections::{BTreeMap, HashMap};

use oms_core::table::{Column, TableDef, TableUse};
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::runs::search::Page;
use crate::state::readers::Reader;
use crate::tables::definition::quoted;

/// Maximum number of customers from tables for whose orders the search looks. Orders that contain
/// the text themselves are found in any case.
const CUSTOMERS_MAX: usize = 20;

/// The result of a customer search.
#[derive(Clone, Debug, Default)]
pub struct CustomerRuns {
    /// One page of the runs, newest first.
    pub page: Page,
    /// The matches of each run on the page, by the run's row number.
    pub matched: BTreeMap<i64, Vec<Match>>,
    /// Number of runs that were found.
    pub runs: usize,
    /// Whether `runs` is the total. Otherwise, there are more.
    pub has_all: bool,
    /// Number of customers from tables for whose orders the search looked.
    pub customers: usize,
    /// Total number of customers in tables whose personal columns contain the text.
    pub customers_total: u64,
}

/// A place that matches the search text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The path of an order member, or `table.column`.
    pub place: String,
    /// The value, or `None` if it is personal data.
    pub value: Option<String>,
}

/// A customer in a table that matches the search text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableCustomer {
    /// The customer's id.
    pub id: String,
    /// The matching columns, as `table.column`.
    pub places: Vec<String>,
}

/// The customers in tables that match a text.
#[derive(Clone, Debug, Default)]
pub struct TableCustomers {
    /// The first [`CUSTOMERS_MAX`] customers.
    pub found: Vec<TableCustomer>,
    /// Total number of customers.
    pub all: u64,
}

impl TableCustomers {
    /// Finds the customers whose personal columns contain a text.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn of(reader: &Reader, tables: &[TableUse], text: &str) -> Result<Self, Error> {
        Self::find(reader.sql(), tables, text)
    }

    pub(crate) fn find(
        database: &Connection,
        tables: &[TableUse],
        text: &str,
    ) -> Result<Self, Error> {
        let escape = |character: char| {
            let escape = matches!(character, '%' | '_' | '\\').then_some('\\');
            escape.into_iter().chain([character])
        };
        let like = format!("%{}%", text.chars().flat_map(escape).collect::<String>());
        // Keyed by the id, because a customer may have several rows in several tables.
        let mut positions: HashMap<String, Option<usize>> = HashMap::new();
        let mut customers = Self::default();
        for TableUse { table, is_written } in tables {
            let Some(key) = customer_key(table, *is_written) else { continue };
            let personal: Vec<&Column> = table.columns.iter().filter(|column| column.pii).collect();
            let has = |column: &&Column| {
                format!("coalesce({} like ?1 escape '\\', 0)", quoted(&column.name))
            };
            let has: Vec<String> = personal.iter().map(has).collect();
            let sql = format!(
                "select cast({id} as text), {has} from {} where {id} is not null and ({})",
                quoted(&table.name),
                has.join(" or "),
                id = quoted(&key.name),
                has = has.join(", "),
            );
            let mut statement = database.prepare_cached(&sql)?;
            let mut rows = statement.query(params![like])?;
            while let Some(row) = rows.next()? {
                let id: String = row.get(0)?;
                if words(&id).next().is_none() {
                    continue;
                }
                let position = *positions.entry(id).or_insert_with_key(|id| {
                    customers.all += 1;
                    let at = customers.found.len();
                    (at < CUSTOMERS_MAX).then(|| {
                        customers.found.push(TableCustomer { id: id.clone(), places: Vec::new() });
                        at
                    })
                });
                let Some(customer) = position.and_then(|at| customers.found.get_mut(at)) else {
                    continue;
                };
                for (at, column) in personal.iter().enumerate() {
                    let place = format!("{}.{}", table.name, column.name);
                    if row.get(at + 1)? && !customer.places.contains(&place) {
                        customer.places.push(place);
                    }
                }
            }
        }
        Ok(customers)
    }
}

/// Returns the words of a text that contain a letter or a digit.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let between = |character: char| character.is_whitespace() || character.is_control();
    text.split(between).filter(|word| word.chars().any(char::is_alphanumeric))
}

/// Returns the column with the customers' ids if the table is searched. A table is searched if it
/// has personal data and no step writes to it, because its rows then describe customers, not
/// orders.
fn customer_key(table: &TableDef, is_written: bool) -> Option<&Column> {
    if !table.is_personal() || is_written {
        return None;
    }
    let mut keys = table.key_columns();
    let only_key = keys.next().filter(|_| keys.next().is_none());
    table.customer_id().or(only_key)
}

//! What a search for a customer found, and why: the members of orders and the columns of tables that have what was searched for.

use std::collections::BTreeMap;

use oms_engine::plan::Plan;
use oms_engine::table::{Column, TableDef};
use rusqlite::{Connection, params};

use crate::error::Error;
use crate::search::Page;
use crate::tables::quoted;

/// Maximum number of customers whose orders are searched for in addition to orders that have the text themselves.
const CUSTOMERS_MAX: usize = 20;

/// The runs of a customer.
#[derive(Clone, Debug, Default)]
pub struct CustomerRuns {
    /// The youngest of them.
    pub page: Page,
    /// Why each run of the page is there, by its row.
    pub matched: BTreeMap<i64, Vec<Match>>,
    /// How many runs were found.
    pub runs: usize,
    /// Whether these are all; otherwise there are more.
    pub has_all: bool,
    /// How many customers in tables the orders were looked for of.
    pub customers: usize,
    /// How many customers in tables have the text.
    pub of_customers: u64,
}

/// A place that has what was searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Match {
    /// The path of a member of the order, or a table and its column with a dot between them.
    pub place: String,
    /// The value, unless it is personal data.
    pub value: Option<String>,
}

/// A customer of whom a table has what was searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FoundCustomer {
    pub(crate) id: String,
    /// The table and the column of each value that has the text.
    pub(crate) places: Vec<String>,
}

/// The customers of whom tables have a text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Customers {
    /// The first of them.
    pub(crate) found: Vec<FoundCustomer>,
    /// How many there are.
    pub(crate) all: u64,
}

impl Customers {
    /// Finds the customers whose personal columns have a text.
    pub(crate) fn find(database: &Connection, plan: &Plan, text: &str) -> Result<Self, Error> {
        let escape = |character: char| {
            let escape = matches!(character, '%' | '_' | '\\').then_some('\\');
            escape.into_iter().chain([character])
        };
        let like = format!("%{}%", text.chars().flat_map(escape).collect::<String>());
        let mut customers = Self::default();
        for table in plan.tables() {
            let Some(key) = customer_key(plan, table) else { continue };
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
                customers.all += 1;
                if customers.found.len() >= CUSTOMERS_MAX {
                    continue;
                }
                let mut places = Vec::new();
                for (at, column) in personal.iter().enumerate() {
                    if row.get(at + 1)? {
                        places.push(format!("{}.{}", table.name, column.name));
                    }
                }
                customers.found.push(FoundCustomer { id, places });
            }
        }
        Ok(customers)
    }
}

/// Returns the words of a text that have something to be looked for.
pub(crate) fn words(text: &str) -> impl Iterator<Item = &str> {
    let between = |character: char| character.is_whitespace() || character.is_control();
    text.split(between).filter(|word| word.chars().any(char::is_alphanumeric))
}

/// Returns the column that names the customers of orders in a table that is searched: one with personal data to which no step writes, so that it has a row for each customer at
/// the most and not for each order.
fn customer_key<'t>(plan: &Plan, table: &'t TableDef) -> Option<&'t Column> {
    if !table.is_personal() || plan.writes_to(&table.name) {
        return None;
    }
    let mut keys = table.key_columns();
    let only_key = keys.next().filter(|_| keys.next().is_none());
    table.customer_id().or(only_key)
}

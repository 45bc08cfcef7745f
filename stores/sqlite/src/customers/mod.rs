//! Searches for customers: the full-text index of orders, and the tables with customers.

pub(crate) mod index;
mod search_terms;
mod table_search;

pub use index::{CustomerQuery, SearchedOrders};
pub use search_terms::{personal_lines, search_terms};
pub use table_search::{CustomerRuns, Match, TableCustomers};

//! Determines which rows and identities an erasure affects, before it happens.

use oms_core::table::{Customer, EraseMode, Identity, RowCounts, TableUse};

use super::erase;
use crate::error::Error;
use crate::state::readers::Reader;

/// Counts the rows that an erasure would change, among those that runs wrote and that name no
/// customer.
///
/// # Errors
/// Returns an error if the database cannot be read.
pub fn count_of_runs(
    reader: &Reader,
    tables: &[TableUse],
    runs: &[i64],
) -> Result<RowCounts, Error> {
    erase::of_runs(reader.sql(), tables, runs, EraseMode::Count)
}

/// Counts the rows of a customer that an erasure would change or delete.
///
/// # Errors
/// Returns an error if the database cannot be read.
pub fn count_of_customer(
    reader: &Reader,
    tables: &[TableUse],
    customer: &Customer,
) -> Result<RowCounts, Error> {
    erase::of_customer(reader.sql(), tables, customer, EraseMode::Count)
}

/// Returns the identities in the rows that name one of the customer's ids or e-mail addresses.
///
/// # Errors
/// Returns an error if the database cannot be read.
pub fn identities(
    reader: &Reader,
    tables: &[TableUse],
    customer: &Customer,
) -> Result<Vec<Identity>, Error> {
    erase::identities(reader.sql(), tables, customer)
}

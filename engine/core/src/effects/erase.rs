//! The port that erases personal data.

use super::Io;
use crate::table::{Customer, EraseMode, Identity, RowCounts, TableUse};

/// Finds and erases a customer's personal data in tables that are not in the local database. All
/// calls can be repeated.
pub trait Erase: Send + Sync {
    /// Returns the identities in the rows that name one of the customer's ids or addresses.
    fn identities<'a>(
        &'a self,
        tables: &'a [TableUse],
        customer: &'a Customer,
    ) -> Io<'a, Vec<Identity>>;

    /// Erases or counts the rows that runs wrote and that name no customer. `runs` are the ids of
    /// the runs.
    fn erase_runs<'a>(
        &'a self,
        tables: &'a [TableUse],
        runs: &'a [String],
        erasing: EraseMode,
    ) -> Io<'a, RowCounts>;

    /// Erases or counts the rows that belong to a customer.
    fn erase_customer<'a>(
        &'a self,
        tables: &'a [TableUse],
        customer: &'a Customer,
        erasing: EraseMode,
    ) -> Io<'a, RowCounts>;
}

//! The port that erases personal data.

use super::Io;
use crate::table::{Customer, Erasing, Identity, RowCounts, TableUse};

/// Finds and erases a customer's personal data in tables that lie elsewhere. All of it can be repeated.
pub trait Erase: Send + Sync {
    /// Returns what the rows that name one of the customer's ids or addresses say of their customer.
    fn naming<'a>(
        &'a self,
        tables: &'a [TableUse],
        customer: &'a Customer,
    ) -> Io<'a, Vec<Identity>>;

    /// Erases or counts the rows that runs wrote and that name no customer. The runs are named by their ids.
    fn of_runs<'a>(
        &'a self,
        tables: &'a [TableUse],
        runs: &'a [String],
        erasing: Erasing,
    ) -> Io<'a, RowCounts>;

    /// Erases or counts the rows that belong to a customer.
    fn of_customer<'a>(
        &'a self,
        tables: &'a [TableUse],
        customer: &'a Customer,
        erasing: Erasing,
    ) -> Io<'a, RowCounts>;
}

//! Searches for the orders of a customer.

use oms_engine::value::Type;
use oms_sqlite::{CustomerQuery, CustomerRuns, Error, Reader, SearchedOrders};

use crate::runner::Runner;

impl Runner {
    /// Adds the orders that were accepted since the last call to the search index. Returns whether
    /// there may be more.
    ///
    /// # Errors
    /// Returns an error if the index or the database cannot be used.
    pub fn update_index(&self) -> Result<bool, Error> {
        self.driver.store.update_index(self.plan().order().schema().ty())
    }

    /// Finds runs, newest first. A run matches if its order contains all words of the text, or the
    /// id of a customer whose row in a table contains the text. With `before`, returns only runs
    /// older than the run with this row number.
    ///
    /// # Errors
    /// Returns an error if the index or the database cannot be read.
    pub fn search_customers(
        &self,
        text: &str,
        before: Option<i64>,
        limit: u32,
    ) -> Result<CustomerRuns, Error> {
        let plan = self.plan();
        let tables = if self.is_remote() { Vec::new() } else { plan.table_uses() };
        let type_of_bundle = |reader: &Reader, bundle: i64| -> Option<Type> {
            let own = self.driver.bundles.plan(reader, bundle).ok()?;
            Some(own.order().schema().ty().clone())
        };
        let orders =
            SearchedOrders { ty: plan.order().schema().ty(), type_of_bundle: &type_of_bundle };
        let query = CustomerQuery { text, tables: &tables, before, limit };
        self.driver.store.search_customers(&orders, &query)
    }
}

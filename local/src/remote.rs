//! Ports outside of this database. A state directory stays with the target that it began with.

use std::sync::Arc;

use oms_engine::effects::{Io, ObjectStore, Tables, Topic};
use oms_engine::plan::Plan;
use oms_engine::table::{Customer, Erasing, Identity, RowCounts};
use rusqlite::Connection;

use crate::error::Error;

/// Ports outside of this database. Effects there are immediate, so an order is made durable here
/// before its first step.
#[derive(Clone)]
pub struct Remote {
    /// The name of the target: `postgres` or `aws`.
    pub name: &'static str,
    /// The pipeline's tables.
    pub tables: Arc<dyn Tables>,
    /// Erases personal data in these tables.
    pub personal: Arc<dyn Erase>,
    /// The object store, if it is not this database.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// The topics, if announcements are published.
    pub topics: Option<Arc<dyn Topic>>,
}

/// Finds and erases a customer's personal data in tables outside of this database. All calls can be
/// repeated.
pub trait Erase: Send + Sync {
    /// Returns the identities in the rows that name one of the customer's ids or addresses.
    fn naming<'a>(&'a self, plan: &'a Plan, customer: &'a Customer) -> Io<'a, Vec<Identity>>;

    /// Erases or counts the rows that runs wrote and that name no customer. `runs` are the ids of
    /// the runs.
    fn of_runs<'a>(
        &'a self,
        plan: &'a Plan,
        runs: &'a [String],
        erasing: Erasing,
    ) -> Io<'a, RowCounts>;

    /// Erases or counts the rows that belong to a customer.
    fn of_customer<'a>(
        &'a self,
        plan: &'a Plan,
        customer: &'a Customer,
        erasing: Erasing,
    ) -> Io<'a, RowCounts>;
}

/// The target that keeps everything in this database.
const LOCAL: &str = "local";

/// Checks that the state's runs belong to this target, or stores the target for a new state. Rows
/// that were written to one target are not looked up in another.
pub(crate) fn settle(connection: &Connection, remote: Option<&Remote>) -> Result<(), Error> {
    let now = remote.map_or(LOCAL, |remote| remote.name);
    // A state without a stored target has no runs yet or was created before there were targets.
    connection.execute(
        "insert into oms_meta (name, value) select 'target', case when exists (select 1 from oms_runs) then ?1 else ?2 end \
         where true on conflict do nothing",
        [LOCAL, now],
    )?;
    let before: String =
        connection
            .query_row("select value from oms_meta where name = 'target'", [], |row| row.get(0))?;
    if before == now { Ok(()) } else { Err(Error::OtherTarget { before, now }) }
}

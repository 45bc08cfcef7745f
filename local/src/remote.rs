//! A world that is not this database: which ports lie elsewhere, and that a state directory stays with the world that it began in.

use std::sync::Arc;

use oms_engine::effects::{Erase, ObjectStore, Tables, Topic};
use rusqlite::Connection;

use crate::error::Error;

/// Ports that lie elsewhere. What a run does there is real at once, so that its order is made durable here before it begins.
#[derive(Clone)]
pub struct Remote {
    /// What the world is called: `postgres`, `aws`.
    pub name: &'static str,
    /// The pipeline's tables.
    pub tables: Arc<dyn Tables>,
    /// Who erases personal data in them.
    pub personal: Arc<dyn Erase>,
    /// Objects, if they are not kept here.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// Announcements, if somebody is to be told.
    pub topics: Option<Arc<dyn Topic>>,
}

/// The world in which everything is in this database.
const LOCAL: &str = "local";

/// Checks that the state's runs are of this world, or says so from now on: rows that were written to one are not looked for in another.
pub(crate) fn settle(connection: &Connection, remote: Option<&Remote>) -> Result<(), Error> {
    let now = remote.map_or(LOCAL, |remote| remote.name);
    // A state that does not say is from before there was a choice, or has no runs yet.
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

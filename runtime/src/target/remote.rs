//! A world that is not this database: which ports lie elsewhere, and that a state directory stays with the world that it began in.

use std::sync::Arc;

use oms_engine::effects::{Erase, ObjectStore, Tables, Topic};
use oms_sqlite::{Error, Setup};

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

/// Checks that the state's runs are of this world. A new state belongs to it from now on.
pub(crate) fn claim(setup: &Setup<'_>, remote: Option<&Remote>) -> Result<(), Error> {
    setup.claim_target(remote.map_or(LOCAL, |remote| remote.name), LOCAL)
}

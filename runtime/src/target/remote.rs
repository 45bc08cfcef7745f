//! Ports outside of this database. A state directory stays with the target that it began with.

use std::sync::Arc;

use oms_engine::effects::{Erase, ObjectStore, Tables, Topic};
use oms_sqlite::{Error, Setup};

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

/// The target that keeps everything in this database.
const LOCAL: &str = "local";

/// Checks that the state's runs are of this world. A new state belongs to it from now on.
pub(crate) fn claim(setup: &Setup<'_>, remote: Option<&Remote>) -> Result<(), Error> {
    setup.claim_target(remote.map_or(LOCAL, |remote| remote.name), LOCAL)
}

//! Ports that do not use the database of the state directory. The target of a state directory never
//! changes.

use std::sync::Arc;

use oms_engine::effects::{Erase, ObjectStore, Tables, Topic};
use oms_sqlite::{Error, Setup};

/// Ports that do not use the database of the state directory. Their effects are immediate, so an
/// order is made durable in that database before its first step.
#[derive(Clone)]
pub struct Remote {
    /// The name of the target: `postgres` or `aws`.
    pub name: &'static str,
    /// The pipeline's tables.
    pub tables: Arc<dyn Tables>,
    /// The port that erases personal data in these tables.
    pub personal: Arc<dyn Erase>,
    /// The object store, if objects are not in the database of the state directory.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// The topics, if announcements are published.
    pub topics: Option<Arc<dyn Topic>>,
}

/// The name of the target that stores all data in the database of the state directory.
const LOCAL: &str = "local";

/// Checks that the state's runs use this target. A state without a target is bound to it from now
/// on.
pub(crate) fn claim(setup: &Setup<'_>, remote: Option<&Remote>) -> Result<(), Error> {
    setup.claim_target(remote.map_or(LOCAL, |remote| remote.name), LOCAL)
}

//! What a planned step will touch, as data: retry checks, IAM, fault points, cost and documentation
//! read it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The part of the world that is touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Port {
    /// Objects.
    Objects,
    /// Announcements.
    Topics,
    /// Tables.
    Tables,
    /// Mail.
    Mail,
    /// Something that a kind of somebody's own reaches.
    Custom,
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// Reads.
    Get,
    /// Writes under a key.
    Put,
    /// Adds a row.
    Insert,
    /// Adds or replaces a row.
    Upsert,
    /// Announces.
    Publish,
    /// Sends.
    Send,
    /// Calls.
    Call,
}

/// What becomes of something that was claimed and whose outcome is not known.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// The run is parked until a person says whether it was done.
    #[default]
    Hold,
    /// It is done again, so that it may be done twice.
    Resend,
}

/// What happens when it is done twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// Nothing is changed.
    Read,
    /// The second time changes nothing more.
    Idempotent,
    /// Others may see it twice, and are made for that.
    AtLeastOnce,
    /// It is claimed before it is done. It is repeated when it surely was not done; a lost answer
    /// leaves that unknown.
    Claimed(OnUnknown),
    /// The second time does it again.
    Unsafe,
}

/// One thing that a step does to the world.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Effect {
    /// The part of the world.
    pub port: Port,
    /// What is done.
    pub verb: Verb,
    /// To which bucket, topic, table or template.
    pub resource: Arc<str>,
    /// What a repetition means.
    pub safety: Safety,
}

impl Effect {
    /// Tells whether it writes a row or an object.
    pub const fn writes(&self) -> bool {
        matches!(self.port, Port::Tables | Port::Objects) && !matches!(self.verb, Verb::Get)
    }

    /// Returns what an unknown outcome of this effect means; nothing if a repetition does no harm.
    pub const fn on_unknown(&self) -> Option<OnUnknown> {
        match self.safety {
            Safety::Claimed(on_unknown) => Some(on_unknown),
            Safety::Unsafe => Some(OnUnknown::Hold),
            Safety::Read | Safety::Idempotent | Safety::AtLeastOnce => None,
        }
    }
}

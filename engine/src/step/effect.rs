//! The effects of a planned step, as data. They are used to check retries and conflicts between
//! steps, to divide a plan into handlers, to grant permissions, and to display steps.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The part of the world that an effect touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Port {
    /// Objects.
    Objects,
    /// Topics.
    Topics,
    /// Tables.
    Tables,
    /// E-mails.
    Mail,
    /// HTTP services that the pipeline declares.
    Services,
    /// An external system that a custom kind uses.
    Custom,
}

/// The operation of an effect.
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
    /// Changes columns of a row.
    Update,
    /// Publishes to a topic.
    Publish,
    /// Sends an e-mail.
    Send,
    /// Calls an external system.
    Call,
}

/// The handling of a claimed attempt whose outcome is unknown.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum OnUnknown {
    /// The run is parked until a user decides how to continue.
    #[default]
    Hold,
    /// The attempt is repeated, so its effect may occur twice.
    Resend,
}

/// The consequence of repeating an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Safety {
    /// The effect only reads.
    Read,
    /// A repetition has no further effect.
    Idempotent,
    /// Receivers may see the effect twice, and are prepared for that.
    AtLeastOnce,
    /// A repetition with the same idempotency key has no further effect, as long as the service
    /// keeps the key.
    Keyed {
        /// How long the service keeps a key, from its first use.
        keeps_seconds: u64,
    },
    /// The attempt is claimed before it has its effect. It is repeated only if it certainly had no
    /// effect. If a reply is lost, the outcome is unknown.
    Claimed(OnUnknown),
    /// A repetition repeats the effect.
    Unsafe,
}

/// An effect of a step.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Effect {
    /// The part of the world.
    pub port: Port,
    /// The operation.
    pub verb: Verb,
    /// The bucket, topic, table or template.
    pub resource: Arc<str>,
    /// The consequence of a repetition.
    pub safety: Safety,
}

impl Effect {
    /// Returns whether the effect writes a row or an object.
    pub const fn writes(&self) -> bool {
        matches!(self.port, Port::Tables | Port::Objects) && !matches!(self.verb, Verb::Get)
    }

    /// Returns how to handle an unknown outcome of this effect, or `None` if the effect is safe to
    /// repeat.
    pub const fn on_unknown(&self) -> Option<OnUnknown> {
        match self.safety {
            Safety::Claimed(on_unknown) => Some(on_unknown),
            Safety::Unsafe => Some(OnUnknown::Hold),
            Safety::Read | Safety::Idempotent | Safety::AtLeastOnce | Safety::Keyed { .. } => None,
        }
    }
}

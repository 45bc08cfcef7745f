//! What goes wrong in the world while a step runs, and whether trying again can help.

use std::fmt;

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// It may work the next time: a time-out, a busy service.
    Transient,
    /// It will not work until something is changed: no such row, a conflict.
    Permanent,
    /// It may have been done or not: the answer was lost. What follows from that is the step's policy.
    Unknown,
}

/// A step's failure. Its texts hold no personal data, since they are journaled, shown and logged.
#[derive(Debug, thiserror::Error)]
pub struct StepError {
    class: Class,
    cause: String,
    message: String,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The causes that the shipped kinds and the engine give; `oms runs retry --cause` takes them.
pub mod cause {
    /// No rate on or shortly before the day.
    pub const NO_RATE: &str = "no_rate";
    /// No row with that key.
    pub const NO_ROW: &str = "no_row";
    /// No object with that key.
    pub const NO_OBJECT: &str = "no_object";
    /// Another run wrote a row or an object with that key.
    pub const CONFLICT: &str = "conflict";
    /// A value is out of the range that a column, a mail or an operation has.
    pub const OUT_OF_RANGE: &str = "out_of_range";
    /// An attempt took longer than the step's `timeout_seconds`.
    pub const TIMEOUT: &str = "timeout";
    /// A service did not answer or was busy.
    pub const UNAVAILABLE: &str = "unavailable";
    /// Another transaction changed the same rows at the same time.
    pub const CONTENTION: &str = "contention";
    /// An address to which no mail can be sent.
    pub const BAD_ADDRESS: &str = "bad_address";
    /// A service refused what it was asked for good.
    pub const REFUSED: &str = "refused";
    /// It is not known whether something was done: the answer was lost, or the process ended before it came.
    pub const UNKNOWN_OUTCOME: &str = "unknown_outcome";
    /// Something that somebody has to set up is not there: a table, a right, a bucket.
    pub const ENVIRONMENT: &str = "environment";
    /// A template could not be rendered.
    pub const TEMPLATE: &str = "template";
    /// The plan of the run cannot be made any more.
    pub const PLAN: &str = "plan";
    /// The step panicked, which is a bug in its kind.
    pub const PANIC: &str = "panic";
    /// The stored data of the run is damaged.
    pub const DAMAGED: &str = "damaged";
    /// The run was in progress at the time of the backup from which the state was restored.
    pub const RESTORED: &str = "restored";
}

impl StepError {
    /// A failure that may pass by itself.
    pub fn transient(cause: &str, message: impl Into<String>) -> Self {
        Self {
            class: Class::Transient,
            cause: cause.to_owned(),
            message: message.into(),
            source: None,
        }
    }

    /// A failure that needs somebody to change something.
    pub fn permanent(cause: &str, message: impl Into<String>) -> Self {
        Self {
            class: Class::Permanent,
            cause: cause.to_owned(),
            message: message.into(),
            source: None,
        }
    }

    /// A failure of which it is not known whether the thing was done all the same.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self {
            class: Class::Unknown,
            cause: cause::UNKNOWN_OUTCOME.to_owned(),
            message: message.into(),
            source: None,
        }
    }

    /// Keeps the error that caused this one.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Tells whether trying again can help.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Returns the cause's name, such as `no_rate`.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// Returns what happened, in words.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

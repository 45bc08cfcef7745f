//! Errors of steps, and whether a retry can help.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

/// Whether a retry can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The next attempt may succeed: a timeout, a busy service.
    Transient,
    /// No attempt succeeds until the cause is fixed: a missing row, a conflict.
    Permanent,
    /// The answer was lost, so the effect may or may not have happened. With `on_unknown: hold`,
    /// the run is held. With `on_unknown: resend`, the attempt is retried.
    Unknown,
}

/// What is known about a failed request to a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestEnd {
    /// The service did not process the request. A later attempt can use the same idempotency key.
    NotDone,
    /// The service processed the request and refused it. A service may replay the refusal for the
    /// same idempotency key, so a retry needs a new one.
    Refused,
}

/// The failure of a step. Its texts contain no personal data, because they are journaled, shown and
/// logged.
#[derive(Debug, thiserror::Error)]
pub struct StepError {
    class: Class,
    cause: String,
    message: String,
    /// How long the attempt is postponed, in milliseconds. A `Duration` would make every error larger.
    postponed: Option<NonZeroU32>,
    /// The minimum wait before the next attempt, in milliseconds.
    retry_after: Option<NonZeroU32>,
    request: Option<RequestEnd>,
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The causes that the built-in kinds and the engine report. `oms runs retry --cause` takes them.
pub mod cause {
    /// No rate on or shortly before the day.
    pub const NO_RATE: &str = "no_rate";
    /// No row with this key.
    pub const NO_ROW: &str = "no_row";
    /// No object with this key.
    pub const NO_OBJECT: &str = "no_object";
    /// The condition of an update is false for the row.
    pub const CONDITION: &str = "condition";
    /// A row or an object with this key already exists, from another run, another step or element
    /// of this run, a seed or an import.
    pub const CONFLICT: &str = "conflict";
    /// A value is outside the range of a column, an e-mail or an operation.
    pub const OUT_OF_RANGE: &str = "out_of_range";
    /// An attempt took longer than the step's `timeout_seconds`.
    pub const TIMEOUT: &str = "timeout";
    /// A service rejected a request because of its rate.
    pub const THROTTLED: &str = "throttled";
    /// A service did not answer or was busy.
    pub const UNAVAILABLE: &str = "unavailable";
    /// Another transaction changed the same rows at the same time.
    pub const CONTENTION: &str = "contention";
    /// SQS delivered a message the maximum number of times without success.
    pub const DELIVERIES: &str = "deliveries";
    /// An address that cannot receive e-mail.
    pub const BAD_ADDRESS: &str = "bad_address";
    /// A service permanently rejected a request.
    pub const REFUSED: &str = "refused";
    /// It is unknown whether the effect happened: the answer was lost, or the process ended before
    /// the answer arrived. A run that is parked with this cause is held.
    pub const UNKNOWN_OUTCOME: &str = "unknown_outcome";
    /// A part of the environment is missing: a table, a permission, a bucket.
    pub const ENVIRONMENT: &str = "environment";
    /// The answer of a service does not match the schema of the step.
    pub const ANSWER: &str = "answer";
    /// A template could not be rendered.
    pub const TEMPLATE: &str = "template";
    /// The plan of the run can no longer be created.
    pub const PLAN: &str = "plan";
    /// The step panicked, which is a bug in its kind.
    pub const PANIC: &str = "panic";
    /// The stored data of the run is damaged.
    pub const DAMAGED: &str = "damaged";
    /// The run was in progress or waiting at the time of the backup from which the state was
    /// restored.
    pub const RESTORED: &str = "restored";
    /// The stored order is not a valid order of the pipeline.
    pub const ORDER: &str = "order";
    /// A message on a queue does not name an order.
    pub const MESSAGE: &str = "message";

    /// All causes. A pipeline cannot use them as causes of its own.
    pub const ALL: [&str; 23] = [
        NO_RATE,
        NO_ROW,
        NO_OBJECT,
        CONDITION,
        CONFLICT,
        OUT_OF_RANGE,
        TIMEOUT,
        THROTTLED,
        UNAVAILABLE,
        CONTENTION,
        DELIVERIES,
        BAD_ADDRESS,
        REFUSED,
        UNKNOWN_OUTCOME,
        ENVIRONMENT,
        ANSWER,
        TEMPLATE,
        PLAN,
        PANIC,
        DAMAGED,
        RESTORED,
        ORDER,
        MESSAGE,
    ];
}

impl StepError {
    /// Creates a failure that may pass without intervention.
    pub fn transient(cause: &str, message: impl Into<String>) -> Self {
        Self {
            class: Class::Transient,
            cause: cause.to_owned(),
            message: message.into(),
            postponed: None,
            retry_after: None,
            request: None,
            source: None,
        }
    }

    /// Postpones an attempt that has had no effect, for example because of a rate limit. The attempt
    /// does not count, and the next one begins after `wait`.
    pub fn postponed(cause: &str, message: impl Into<String>, wait: Duration) -> Self {
        let millis = u32::try_from(wait.as_millis()).unwrap_or(u32::MAX);
        let postponed = NonZeroU32::new(millis).or(Some(NonZeroU32::MIN));
        Self { postponed, ..Self::transient(cause, message) }
    }

    /// Creates a failure that lasts until its cause is fixed.
    pub fn permanent(cause: &str, message: impl Into<String>) -> Self {
        Self {
            class: Class::Permanent,
            cause: cause.to_owned(),
            message: message.into(),
            postponed: None,
            retry_after: None,
            request: None,
            source: None,
        }
    }

    /// Creates a failure of an attempt that may have had its effect nevertheless.
    pub fn unknown(message: impl Into<String>) -> Self {
        Self {
            class: Class::Unknown,
            cause: cause::UNKNOWN_OUTCOME.to_owned(),
            message: message.into(),
            postponed: None,
            retry_after: None,
            request: None,
            source: None,
        }
    }

    /// Adds what is known about a request to a service.
    #[must_use]
    pub const fn with_request(mut self, request: RequestEnd) -> Self {
        self.request = Some(request);
        self
    }

    /// Makes the next attempt wait at least this long.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = NonZeroU32::new(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX));
        self
    }

    /// Keeps the underlying error as the source.
    #[must_use]
    pub fn caused_by(mut self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        self.source = Some(Box::new(source));
        self
    }

    /// Returns whether a retry can help.
    pub const fn class(&self) -> Class {
        self.class
    }

    /// Returns how long the attempt is postponed; `None` if it failed.
    pub fn postponed_for(&self) -> Option<Duration> {
        self.postponed.map(|millis| Duration::from_millis(millis.get().into()))
    }

    /// Returns the minimum wait before the next attempt.
    pub fn min_wait(&self) -> Option<Duration> {
        self.retry_after.map(|millis| Duration::from_millis(millis.get().into()))
    }

    /// Returns what is known about a failed request to a service.
    pub const fn request(&self) -> Option<RequestEnd> {
        self.request
    }

    /// Returns the name of the cause, such as `no_rate`.
    pub fn cause(&self) -> &str {
        &self.cause
    }

    /// Returns the message.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for StepError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

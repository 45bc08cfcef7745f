//! The events of a run. They are its only output: the journal, the summary and the console consume
//! them.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use oms_core::effects::Answer;
use oms_core::value::Value;
use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// An event in a run.
#[derive(Clone, Debug)]
pub enum Event {
    /// An attempt succeeded.
    Succeeded {
        /// The step's id.
        step: Arc<str>,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The end of the attempt.
        at: Timestamp,
        /// The duration in microseconds.
        micros: u64,
        /// The output.
        output: Value,
    },
    /// An attempt failed.
    Failed {
        /// The step's id.
        step: Arc<str>,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The end of the attempt.
        at: Timestamp,
        /// The duration in microseconds.
        micros: u64,
        /// The failure.
        failure: Failure,
        /// When the next attempt begins; `None` if there is no retry.
        retry_at: Option<Timestamp>,
    },
    /// An attempt with an external effect is about to begin. Its outcome is unknown until its end
    /// is journaled.
    Claimed {
        /// The step's id.
        step: Arc<str>,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The time of the event.
        at: Timestamp,
        /// The digest of a request to a service.
        request: Option<Arc<str>>,
    },
    /// A service answered a request, or a user supplied the answer. The answer is kept until the
    /// step succeeds, so that the service is not called again.
    Answered {
        /// The step's id.
        step: Arc<str>,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The time of the answer.
        at: Timestamp,
        /// The answer.
        answer: Arc<Answer>,
    },
    /// A step will not run.
    Skipped {
        /// The step's id.
        step: Arc<str>,
        /// The time of the decision.
        at: Timestamp,
        /// The reason.
        reason: SkipReason,
    },
    /// The next attempt begins at another time, because the clock was set back, or because a service
    /// postponed the attempt.
    Rescheduled {
        /// The step's id.
        step: Arc<str>,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of attempts made.
        attempts: u32,
        /// The time of the decision.
        at: Timestamp,
        /// When the next attempt begins.
        retry_at: Timestamp,
    },
    /// Rows are read again before an upsert that depends on them is retried, because other runs may
    /// have changed them in the meantime.
    ReadAgain {
        /// The steps that read, and the steps that only compute from what they read.
        steps: Arc<[Arc<str>]>,
        /// The time of the event.
        at: Timestamp,
    },
    /// A user requested a retry of failed steps, or an immediate attempt of waiting steps.
    Retried {
        /// The time of the event.
        at: Timestamp,
        /// The steps that have succeeded, if the run moves to another version of the pipeline.
        done: Option<Arc<[Arc<str>]>>,
    },
    /// A user cancelled the run.
    Cancelled {
        /// The time of the event.
        at: Timestamp,
    },
}

/// Why a step does not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkipReason {
    /// Its condition is false.
    When,
    /// A step that it needs was skipped, and nothing failed.
    NeedSkipped(Arc<str>),
    /// This step failed. The skipped step needs it, or needs a step that was skipped because of it.
    NeedFailed(Arc<str>),
    /// It is a catch step, and no step that it catches failed.
    NothingToCatch,
}

impl SkipReason {
    /// Returns whether the first version of the semantics decides on the step again at every retry.
    pub(super) const fn is_open_to_retries(&self) -> bool {
        !matches!(self, Self::When)
    }
}

/// Completes the message "skipped: …".
impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::When => f.write_str("its `when` was false"),
            Self::NeedSkipped(step) => write!(f, "`{step}` was skipped"),
            Self::NeedFailed(step) => write!(f, "`{step}` failed"),
            Self::NothingToCatch => f.write_str("no step that it catches failed"),
        }
    }
}

impl Event {
    /// Returns the time of the event.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Succeeded { at, .. }
            | Self::Failed { at, .. }
            | Self::Claimed { at, .. }
            | Self::Answered { at, .. }
            | Self::Skipped { at, .. }
            | Self::Rescheduled { at, .. }
            | Self::ReadAgain { at, .. }
            | Self::Retried { at, .. }
            | Self::Cancelled { at } => *at,
        }
    }
}

//! What happened in a run. Events are the only output of a run: the journal, the summary and the console are listeners.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use oms_core::value::Value;
use serde::{Deserialize, Serialize};

use super::failure::Failure;

/// Something that happened in a run.
#[derive(Clone, Debug)]
pub enum Event {
    /// An attempt gave an output.
    Succeeded {
        /// The step's id.
        step: Arc<str>,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// When it ended.
        at: Timestamp,
        /// Microseconds that it took.
        micros: u64,
        /// What it gave.
        output: Value,
    },
    /// An attempt failed.
    Failed {
        /// The step's id.
        step: Arc<str>,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// Which attempt it was, from 1.
        attempt: u32,
        /// When it ended.
        at: Timestamp,
        /// Microseconds that it took.
        micros: u64,
        /// What went wrong.
        failure: Failure,
        /// When it is tried again; nothing if it is not.
        retry_at: Option<Timestamp>,
    },
    /// An attempt that reaches out of this process is about to begin. Until its end is journaled, too, it is not known whether it
    /// did what it was to do.
    Claimed {
        /// The step's id.
        step: Arc<str>,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// Which attempt it is, from 1.
        attempt: u32,
        /// When.
        at: Timestamp,
    },
    /// A step will not run.
    Skipped {
        /// The step's id.
        step: Arc<str>,
        /// When that was clear.
        at: Timestamp,
        /// Why.
        reason: SkipReason,
    },
    /// The next attempt begins earlier than planned, because the clock was set back since.
    Rescheduled {
        /// The step's id.
        step: Arc<str>,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// Attempts made.
        attempts: u32,
        /// When this was decided.
        at: Timestamp,
        /// When the next attempt begins.
        retry_at: Timestamp,
    },
    /// Rows are read again before an upsert that depends on them is tried again: other runs may have changed them meanwhile.
    ReadAgain {
        /// The steps that read, and those that only computed from what they read.
        steps: Arc<[Arc<str>]>,
        /// When.
        at: Timestamp,
    },
    /// A person asked to try again what failed, or to try now what waits.
    Retried {
        /// When.
        at: Timestamp,
        /// The steps that have succeeded, if the run moves to another version of the pipeline here.
        done: Option<Arc<[Arc<str>]>>,
    },
    /// Somebody ended the run.
    Cancelled {
        /// When.
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
    /// This step failed, and this one needs it, or needs a step that was skipped because of it.
    NeedFailed(Arc<str>),
    /// It is a catch step, and what it would catch did not fail.
    NothingToCatch,
}

impl SkipReason {
    /// Tells whether the first semantics decide again about the step at every retry.
    pub(super) const fn is_open_to_retries(&self) -> bool {
        !matches!(self, Self::When)
    }
}

/// Completes "skipped: …".
impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::When => f.write_str("its `when` was false"),
            Self::NeedSkipped(step) => write!(f, "since `{step}` was skipped"),
            Self::NeedFailed(step) => write!(f, "since `{step}` failed"),
            Self::NothingToCatch => f.write_str("no step that it catches failed"),
        }
    }
}

impl Event {
    /// Returns when it happened.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Succeeded { at, .. }
            | Self::Failed { at, .. }
            | Self::Claimed { at, .. }
            | Self::Skipped { at, .. }
            | Self::Rescheduled { at, .. }
            | Self::ReadAgain { at, .. }
            | Self::Retried { at, .. }
            | Self::Cancelled { at } => *at,
        }
    }
}

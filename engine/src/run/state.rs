//! The states of runs, steps and elements.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::element::Elements;
use super::event::SkipReason;
use super::failure::Failure;
use crate::value::Value;

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A step can run now.
    InProgress,
    /// No step can run before a certain time.
    Waiting,
    /// Every step has ended, and every failure was handled.
    Completed,
    /// A step failed permanently. A person must fix the cause.
    Parked,
    /// A person cancelled the run.
    Cancelled,
}

impl RunState {
    /// All states, in the order in which they are listed.
    pub const ALL: [Self; 5] =
        [Self::InProgress, Self::Waiting, Self::Completed, Self::Parked, Self::Cancelled];

    /// Returns the state's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Parked => "parked",
            Self::Cancelled => "cancelled",
        }
    }

    /// Parses the name of a state.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// The state of a step.
#[derive(Clone, Debug)]
pub enum StepState {
    /// It has not begun.
    Pending,
    /// It runs for each element of a list.
    Each {
        /// The list.
        items: Arc<[Value]>,
        /// The states of the elements.
        elements: Elements,
    },
    /// It has begun.
    One(ElementState),
    /// It will not run.
    Skipped(SkipReason),
    /// It succeeded with this output: a list, with `for_each`.
    Succeeded(Value),
    /// It failed permanently.
    Failed {
        /// The failure.
        failure: Failure,
        /// The list, with `for_each`.
        items: Arc<[Value]>,
        /// The states of the elements, with `for_each`. Those that succeeded do not run again.
        elements: Vec<ElementState>,
    },
}

/// The state of an element, or of a step without elements.
#[derive(Clone, Debug)]
pub enum ElementState {
    /// It has not begun.
    Pending,
    /// An attempt is in progress.
    Running,
    /// A process began an attempt and ended before it recorded the outcome.
    Claimed {
        /// The number of the attempt, from 1.
        attempt: u32,
    },
    /// It waits for a retry.
    Waiting {
        /// The number of attempts made.
        attempts: u32,
        /// The start of the next attempt.
        until: Timestamp,
        /// The length of the wait when it was decided. A longer wait from now means that the clock
        /// was set back.
        wait: SignedDuration,
    },
    /// It succeeded with this output.
    Succeeded(Value),
    /// It failed permanently.
    Failed(Failure),
}

impl StepState {
    /// Returns whether the step has ended.
    pub const fn is_ended(&self) -> bool {
        matches!(self, Self::Skipped(_) | Self::Succeeded(_) | Self::Failed { .. })
    }

    /// Returns the list of a step with `for_each` that has begun and not succeeded.
    pub(super) const fn items(&self) -> Option<&Arc<[Value]>> {
        match self {
            Self::Each { items, .. } | Self::Failed { items, .. } => Some(items),
            _ => None,
        }
    }
}

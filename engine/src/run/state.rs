//! The states of runs, steps and elements.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use oms_core::value::Value;

use super::element::Elements;
use super::event::SkipReason;
use super::failure::Failure;

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

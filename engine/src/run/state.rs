//! How far a step and an element is.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use oms_core::value::Value;

use super::element::Elements;
use super::event::SkipReason;
use super::failure::Failure;

/// How far one step is.
#[derive(Clone, Debug)]
pub enum StepState {
    /// It has not begun.
    Pending,
    /// It runs over elements.
    Each {
        /// The list.
        items: Arc<[Value]>,
        /// How far each element is.
        elements: Elements,
    },
    /// It has begun.
    One(ElementState),
    /// It will not run.
    Skipped(SkipReason),
    /// It gave an output: a list, with `for_each`.
    Succeeded(Value),
    /// It failed for good.
    Failed {
        /// Why.
        failure: Failure,
        /// The list, with `for_each`.
        items: Arc<[Value]>,
        /// What its elements had reached, with `for_each`, so that those that succeeded are not repeated.
        elements: Vec<ElementState>,
    },
}

/// How far one element, or a step without elements, is.
#[derive(Clone, Debug)]
pub enum ElementState {
    /// It has not begun.
    Pending,
    /// An attempt is under way.
    Running,
    /// An attempt was begun by a process that ended before it could say how it went.
    Claimed {
        /// Which attempt it was, from 1.
        attempt: u32,
    },
    /// It is tried again at an instant.
    Waiting {
        /// Attempts made.
        attempts: u32,
        /// When the next one begins.
        until: Timestamp,
        /// How long that was from the moment of the decision. A longer wait from now means that the clock was set back.
        wait: SignedDuration,
    },
    /// It gave an output.
    Succeeded(Value),
    /// It failed for good.
    Failed(Failure),
}

impl StepState {
    /// Tells whether it has come to its end.
    pub const fn is_ended(&self) -> bool {
        matches!(self, Self::Skipped(_) | Self::Succeeded(_) | Self::Failed { .. })
    }

    /// Returns the list that it runs over, with `for_each`, if it has begun and not succeeded.
    pub(super) const fn items(&self) -> Option<&Arc<[Value]>> {
        match self {
            Self::Each { items, .. } | Self::Failed { items, .. } => Some(items),
            _ => None,
        }
    }
}

//! What the scheduler decides, and what it refuses.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use oms_core::effects::RunState;
use oms_core::effects::{Class, cause};
use oms_core::value::Value;
use oms_expression::EvalError;

use super::event::SkipReason;
use super::failure::Failure;

/// What is to be done now.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Run an attempt.
    Start {
        /// The step's position.
        step: usize,
        /// The element, with `for_each`.
        element: Option<u32>,
        /// Which attempt it is, from 1.
        attempt: u32,
        /// The input.
        input: Value,
    },
    /// Note that a step will not run.
    Skip {
        /// The step's position.
        step: usize,
        /// Why.
        reason: SkipReason,
    },
    /// Note that a step gave an output without running: a `for_each` over nothing.
    Succeed {
        /// The step's position.
        step: usize,
        /// The output.
        output: Value,
    },
    /// Note that a step failed and nothing is to be run for that: a number left its range, or an attempt of an earlier process may or
    /// may not have done what it was to do.
    Fail {
        /// The step's position.
        step: usize,
        /// The element, with `for_each`.
        element: Option<u32>,
        /// Which attempt it is, from 1.
        attempt: u32,
        /// Why.
        failure: Failure,
    },
    /// Note that the next attempt begins earlier than planned, because the clock was set back since.
    Reschedule {
        /// The step's position.
        step: usize,
        /// The element, with `for_each`.
        element: Option<u32>,
        /// Attempts made.
        attempts: u32,
        /// When the next one begins.
        until: Timestamp,
    },
    /// Note that rows are read again: the positions of the steps that read, and of those that only computed from that.
    ReadAgain {
        /// The steps.
        steps: BTreeSet<usize>,
    },
    /// Nothing more can begin before this instant.
    WaitUntil(Timestamp),
    /// The run has come to its end.
    Finish(RunState),
}

/// An event that cannot have happened in this state of the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEvent {
    /// The plan has no such step.
    #[error("the plan has no step `{0}`")]
    NoStep(Arc<str>),
    /// The step was not to run.
    #[error("the step `{0}` could not have run then")]
    NotRunning(Arc<str>),
    /// The list has no such element.
    #[error("the step `{0}` has no element {1}")]
    NoElement(Arc<str>, u32),
}

impl Decision {
    /// A step that fails before it runs.
    pub(super) const fn fail(step: usize, element: Option<u32>, failure: Failure) -> Self {
        Self::Fail { step, element, attempt: 1, failure }
    }
}

/// Returns the failure of a step whose numbers leave their range.
pub(super) fn out_of_range(error: EvalError) -> Failure {
    Failure {
        class: Class::Permanent,
        cause: cause::OUT_OF_RANGE.to_owned(),
        message: error.to_string(),
    }
}

//! The decisions of the scheduler, and the events that it rejects.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use oms_core::effects::RunState;
use oms_core::effects::{Class, cause};
use oms_core::value::Value;
use oms_expression::EvalError;

use super::event::SkipReason;
use super::failure::Failure;

/// What to do next.
#[derive(Clone, Debug)]
pub enum Decision {
    /// Run an attempt.
    Start {
        /// The step's position.
        step: usize,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The input.
        input: Value,
    },
    /// Record that a step will not run.
    Skip {
        /// The step's position.
        step: usize,
        /// The reason.
        reason: SkipReason,
    },
    /// Record that a step succeeded without running: its `for_each` has no elements.
    Succeed {
        /// The step's position.
        step: usize,
        /// The output.
        output: Value,
    },
    /// Record that a step failed without running. For example, a number was out of range, another
    /// step wrote the same row, or the outcome of an attempt of an earlier process is unknown.
    Fail {
        /// The step's position.
        step: usize,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The reason.
        failure: Failure,
    },
    /// Record that the next attempt begins earlier than planned, because the clock was set back.
    Reschedule {
        /// The step's position.
        step: usize,
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of attempts made.
        attempts: u32,
        /// The start of the next attempt.
        until: Timestamp,
    },
    /// Record that rows are read again. Contains the positions of the steps that read and of the
    /// steps that only compute from what they read.
    ReadAgain {
        /// The steps.
        steps: BTreeSet<usize>,
    },
    /// Nothing more can begin before this time.
    WaitUntil(Timestamp),
    /// The run has ended.
    Finish(RunState),
}

/// An event that is impossible in the current state of the run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IllegalEvent {
    /// The plan has no such step.
    #[error("the plan has no step `{0}`")]
    NoStep(Arc<str>),
    /// The step was not running.
    #[error("the step `{0}` was not running")]
    NotRunning(Arc<str>),
    /// The list has no such element.
    #[error("the step `{0}` has no element {1}")]
    NoElement(Arc<str>, u32),
}

impl Decision {
    /// Creates the failure of a step that fails before it runs.
    pub(super) const fn fail(step: usize, element: Option<u32>, failure: Failure) -> Self {
        Self::Fail { step, element, attempt: 1, failure }
    }
}

/// Returns the failure of a step with a number that is out of range.
pub(super) fn out_of_range(error: EvalError) -> Failure {
    Failure {
        class: Class::Permanent,
        cause: cause::OUT_OF_RANGE.to_owned(),
        message: error.to_string(),
        request: None,
    }
}

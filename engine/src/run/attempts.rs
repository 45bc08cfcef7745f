//! The attempts of waiting steps, carried from one invocation of a handler to the next. A handler
//! has no journal: each invocation runs its steps from the beginning, and completed effects are not
//! repeated. Without the number of attempts, a step would never use up its retries.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::failure::Failure;
use super::scheduler::Scheduler;
use super::state::{ElementState, StepState};

/// Maximum number of steps and elements whose attempts are carried over. The others begin with
/// their first attempt again. A row has at most 64 KiB in the RDS Data API ("Data API limitations").
const MADE_MAX: usize = 500;

/// The attempts that a waiting step, or one of its elements, has made, or the failure of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptsMade {
    /// The step's id.
    step: Arc<str>,
    /// The element, in a step with `for_each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    element: Option<u32>,
    /// The number of attempts.
    attempts: u32,
    /// The time of the next attempt in milliseconds since 1970.
    until: i64,
    /// The failure, if there are no more attempts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
}

/// The attempts of earlier invocations, by the position of the step and the element.
#[derive(Default)]
pub(super) struct EarlierAttempts(BTreeMap<(usize, Option<u32>), ElementState>);

impl EarlierAttempts {
    /// Returns the failure of a step that has used up its attempts. The step must not run again,
    /// because its catch step may have run.
    pub(super) fn failure(&self, step: usize) -> Option<Failure> {
        match self.0.get(&(step, None)) {
            Some(ElementState::Failed(failure)) => Some(failure.clone()),
            _ => None,
        }
    }

    /// Returns the state in which a step or an element begins.
    pub(super) fn state(&self, step: usize, element: Option<u32>) -> ElementState {
        self.0.get(&(step, element)).cloned().unwrap_or(ElementState::Pending)
    }
}

impl Scheduler {
    /// Returns the attempts of all waiting steps and elements, and the failures of steps, for
    /// [`continue_attempts`](Self::continue_attempts) in a later run for the same order.
    pub fn attempts_made(&self) -> Vec<AttemptsMade> {
        let mut made = Vec::new();
        for (planned, state) in self.plan().steps().iter().zip(self.steps()) {
            let of = |element, state: &ElementState| match state {
                ElementState::Waiting { attempts, until, .. } => Some(AttemptsMade {
                    step: Arc::clone(&planned.id),
                    element,
                    attempts: *attempts,
                    until: until.as_millisecond(),
                    failure: None,
                }),
                _ => None,
            };
            match state {
                StepState::One(state) => made.extend(of(None, state)),
                StepState::Each { elements, .. } => {
                    let elements = (0..).zip(elements.states());
                    let waiting = elements.filter_map(|(element, state)| of(Some(element), state));
                    made.extend(waiting.take(MADE_MAX));
                }
                StepState::Failed { failure, .. } => made.push(AttemptsMade {
                    step: Arc::clone(&planned.id),
                    element: None,
                    attempts: 0,
                    until: 0,
                    failure: Some(failure.clone()),
                }),
                _ => {}
            }
        }
        // Failures come first, because their steps must not run again.
        made.sort_by_key(|made| made.failure.is_none());
        made.truncate(MADE_MAX);
        made
    }

    /// Continues the attempts of an earlier run for the same order. Attempts of unknown steps are
    /// ignored, because the pipeline may have changed.
    pub fn continue_attempts(&mut self, made: &[AttemptsMade], now: Timestamp) {
        for AttemptsMade { step, element, attempts, until, failure } in made {
            let Some(step) = self.plan().step(step) else { continue };
            if let Some(failure) = failure {
                self.earlier.0.insert((step, None), ElementState::Failed(failure.clone()));
                continue;
            }
            let until = Timestamp::from_millisecond(*until).unwrap_or(now);
            let wait = until.duration_since(now).max(SignedDuration::ZERO);
            let state = ElementState::Waiting { attempts: *attempts, until, wait };
            self.earlier.0.insert((step, *element), state);
        }
    }
}

//! How far the elements of a step are, and what follows for the step.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::state::{ElementState, StepState};
use crate::effects::Class;
use crate::value::Value;

/// How much longer than decided a wait may be: clocks are corrected by fractions of a second all the time.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

/// What is to be done with an element.
pub(super) enum Due {
    Start(u32),
    At(Timestamp),
    /// The clock was set back: it waits until this instant instead, after so many attempts.
    Sooner(u32, Timestamp),
    Running,
    Unknown(u32),
    Ended,
}

/// Looks at an element.
pub(super) fn due(state: &ElementState, now: Timestamp) -> Due {
    match state {
        ElementState::Pending => Due::Start(1),
        ElementState::Waiting { attempts, until, .. } if *until <= now => Due::Start(attempts + 1),
        ElementState::Waiting { attempts, until, wait } => {
            match until.duration_since(now) > *wait + CLOCK_TOLERANCE {
                true => Due::Sooner(*attempts, now.checked_add(*wait).unwrap_or(now)),
                false => Due::At(*until),
            }
        }
        ElementState::Running => Due::Running,
        ElementState::Claimed { attempt } => Due::Unknown(*attempt),
        ElementState::Succeeded(_) | ElementState::Failed(_) => Due::Ended,
    }
}

/// Begins a step over elements.
pub(super) fn each(items: Arc<[Value]>) -> StepState {
    let elements = vec![ElementState::Pending; items.len()];
    StepState::Each { items, elements }
}

/// Returns the end of a step over elements: when all succeeded, or when one failed and none is under way. The failure that a person has
/// to decide about goes before the others.
pub(super) fn together(items: &Arc<[Value]>, elements: &[ElementState]) -> Option<StepState> {
    let failures = elements.iter().filter_map(|element| match element {
        ElementState::Failed(failure) => Some(failure),
        _ => None,
    });
    let failure = failures.min_by_key(|failure| failure.class != Class::Unknown).cloned();
    let under_way = |element: &ElementState| {
        matches!(element, ElementState::Running | ElementState::Claimed { .. })
    };
    match failure {
        Some(_) if elements.iter().any(under_way) => None,
        Some(failure) => {
            let items = Arc::clone(items);
            Some(StepState::Failed { failure, items, elements: elements.to_vec() })
        }
        None => {
            let outputs: Option<Vec<Value>> = elements
                .iter()
                .map(|element| match element {
                    ElementState::Succeeded(output) => Some(output.clone()),
                    _ => None,
                })
                .collect();
            outputs.map(|outputs| StepState::Succeeded(Value::List(outputs.into())))
        }
    }
}

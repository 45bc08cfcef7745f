//! The states of a step's elements, and the state of the step that follows from them.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use oms_core::effects::Class;
use oms_core::value::Value;

use super::state::{ElementState, StepState};

/// A wait may be this much longer than decided, because clocks are often corrected by fractions of
/// a second.
const CLOCK_TOLERANCE: SignedDuration = SignedDuration::from_secs(1);

/// The next action for a step without elements.
pub(super) enum NextAction {
    Start(u32),
    WaitUntil(Timestamp),
    /// The clock was set back. The step waits until this time instead, after this number of
    /// attempts.
    Reschedule(u32, Timestamp),
    Running,
    Unknown(u32),
    Ended,
}

/// Returns the next action for a step without elements.
pub(super) fn next_action(state: &ElementState, now: Timestamp) -> NextAction {
    match state {
        ElementState::Pending => NextAction::Start(1),
        ElementState::Waiting { attempts, until, .. } if *until <= now => {
            NextAction::Start(attempts + 1)
        }
        ElementState::Waiting { attempts, until, wait } => {
            match until.duration_since(now) > *wait + CLOCK_TOLERANCE {
                true => NextAction::Reschedule(*attempts, now.checked_add(*wait).unwrap_or(now)),
                false => NextAction::WaitUntil(*until),
            }
        }
        ElementState::Running => NextAction::Running,
        ElementState::Claimed { attempt } => NextAction::Unknown(*attempt),
        ElementState::Succeeded(_) | ElementState::Failed(_) => NextAction::Ended,
    }
}

/// The elements of a step, indexed by state. No query iterates over the whole list, because that
/// would make a run quadratic in the length of the list.
#[derive(Clone, Debug)]
pub struct Elements {
    states: Vec<ElementState>,
    pending: BTreeSet<u32>,
    waiting: BTreeSet<(Timestamp, u32)>,
    /// The time of the decision for each waiting element. It is in the future if the clock was set
    /// back.
    decided: BTreeSet<(Timestamp, u32)>,
    claimed: BTreeSet<u32>,
    running: usize,
    failed: usize,
}

impl Elements {
    /// Creates the elements with their states.
    pub(super) fn new(states: Vec<ElementState>) -> Self {
        let mut elements = Self {
            states: Vec::new(),
            pending: BTreeSet::new(),
            waiting: BTreeSet::new(),
            decided: BTreeSet::new(),
            claimed: BTreeSet::new(),
            running: 0,
            failed: 0,
        };
        for (element, state) in (0..).zip(&states) {
            elements.index(element, state);
        }
        Self { states, ..elements }
    }

    /// Returns the states in the order of the list.
    pub fn states(&self) -> &[ElementState] {
        &self.states
    }

    /// Sets the state of an element, if the position exists.
    pub(super) fn set(&mut self, element: u32, new: ElementState) {
        let Some(slot) = self.states.get_mut(element as usize) else { return };
        let old = std::mem::replace(slot, new.clone());
        match old {
            ElementState::Pending => _ = self.pending.remove(&element),
            ElementState::Waiting { until, wait, .. } => {
                self.waiting.remove(&(until, element));
                self.decided.remove(&(decided(until, wait), element));
            }
            ElementState::Claimed { .. } => _ = self.claimed.remove(&element),
            ElementState::Running => self.running -= 1,
            ElementState::Failed(_) => self.failed -= 1,
            ElementState::Succeeded(_) => {}
        }
        self.index(element, &new);
    }

    fn index(&mut self, element: u32, state: &ElementState) {
        match state {
            ElementState::Pending => _ = self.pending.insert(element),
            ElementState::Waiting { until, wait, .. } => {
                self.waiting.insert((*until, element));
                self.decided.insert((decided(*until, *wait), element));
            }
            ElementState::Claimed { .. } => _ = self.claimed.insert(element),
            ElementState::Running => self.running += 1,
            ElementState::Failed(_) => self.failed += 1,
            ElementState::Succeeded(_) => {}
        }
    }

    /// Returns the number of running attempts.
    pub(super) const fn running(&self) -> usize {
        self.running
    }

    /// Returns the elements whose next attempt can begin now, by position, so that at most `limit`
    /// run. Returns an empty list if an element has failed.
    pub(super) fn startable(&self, limit: usize, now: Timestamp) -> Vec<u32> {
        let free = limit.saturating_sub(self.running);
        if self.failed > 0 || free == 0 {
            return Vec::new();
        }
        let due = self.waiting.range(..=(now, u32::MAX)).map(|(_, element)| *element).take(free);
        let mut start: Vec<u32> = due.chain(self.pending.iter().copied().take(free)).collect();
        start.sort_unstable();
        start.truncate(free);
        start
    }

    /// Returns the elements with an attempt that began and has no recorded outcome, with the number
    /// of that attempt.
    pub(super) fn unknown(&self) -> Vec<(u32, u32)> {
        let attempt = |element: &u32| match self.states.get(*element as usize)? {
            ElementState::Claimed { attempt } => Some((*element, *attempt)),
            _ => None,
        };
        self.claimed.iter().filter_map(attempt).collect()
    }

    /// Returns the elements that wait too long because the clock was set back, with the number of
    /// attempts made and the new time. Returns an empty list if an element has failed.
    pub(super) fn rescheduled(&self, now: Timestamp) -> Vec<(u32, u32, Timestamp)> {
        let latest = now.checked_add(CLOCK_TOLERANCE).unwrap_or(Timestamp::MAX);
        let sooner = |(_, element): &(Timestamp, u32)| {
            let state = self.states.get(*element as usize)?;
            match next_action(state, now) {
                NextAction::Reschedule(attempts, until) => Some((*element, attempts, until)),
                _ => None,
            }
        };
        let late = self.decided.range((latest, 0)..).filter(|_| self.failed == 0);
        let mut found: Vec<_> = late.filter_map(sooner).collect();
        found.sort_unstable_by_key(|(element, ..)| *element);
        found
    }

    /// Moves the next attempt of every waiting element to `at`.
    pub(super) fn reschedule_waiting(&mut self, at: Timestamp) {
        for (_, element) in std::mem::take(&mut self.waiting) {
            if let Some(ElementState::Waiting { until, wait, .. }) =
                self.states.get_mut(element as usize)
            {
                self.decided.remove(&(decided(*until, *wait), element));
                (*until, *wait) = (at, SignedDuration::ZERO);
                self.decided.insert((at, element));
                self.waiting.insert((at, element));
            }
        }
    }

    /// Returns the time of the earliest waiting attempt.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(until, _)| *until)
    }

    /// Returns the time of the earliest attempt that waits beyond `now`; `None` if an element has
    /// failed.
    pub(super) fn due_after(&self, now: Timestamp) -> Option<Timestamp> {
        let mut later = self.waiting.range((now, u32::MAX)..).filter(|(until, _)| *until > now);
        later.next().filter(|_| self.failed == 0).map(|(until, _)| *until)
    }

    /// Returns the end of the step: when all elements succeeded, or when one failed and none is
    /// running. A failure that requires a user's decision takes precedence.
    pub(super) fn end(&self, items: &Arc<[Value]>) -> Option<StepState> {
        let in_progress = self.running > 0 || !self.claimed.is_empty();
        let open = !self.pending.is_empty() || !self.waiting.is_empty();
        if in_progress || (open && self.failed == 0) {
            return None;
        }
        let failures = self.states.iter().filter_map(|state| match state {
            ElementState::Failed(failure) => Some(failure),
            _ => None,
        });
        let failure = failures.min_by_key(|failure| failure.class != Class::Unknown).cloned();
        if let Some(failure) = failure {
            let (items, elements) = (Arc::clone(items), self.states.clone());
            return Some(StepState::Failed { failure, items, elements });
        }
        let outputs = self.states.iter().filter_map(|state| match state {
            ElementState::Succeeded(output) => Some(output.clone()),
            _ => None,
        });
        Some(StepState::Succeeded(Value::List(outputs.collect())))
    }
}

/// Returns the time at which a wait was decided.
fn decided(until: Timestamp, wait: SignedDuration) -> Timestamp {
    until.checked_sub(wait).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use oms_core::effects::{StepError, cause};

    use super::*;
    use crate::run::failure::Failure;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pending(count: usize) -> Elements {
        Elements::new(vec![ElementState::Pending; count])
    }

    fn done() -> ElementState {
        ElementState::Succeeded(Value::Null)
    }

    fn failed() -> ElementState {
        ElementState::Failed(Failure::from(&StepError::permanent(cause::CONFLICT, "conflict")))
    }

    #[test]
    fn elements_start_by_position_up_to_the_limit() {
        let mut elements = pending(4);
        assert_eq!(elements.startable(2, at(0)), [0, 1]);
        elements.set(0, ElementState::Running);
        assert_eq!(elements.startable(2, at(0)), [1]);
        elements.set(
            0,
            ElementState::Waiting { attempts: 1, until: at(5), wait: SignedDuration::from_secs(5) },
        );
        assert_eq!(elements.startable(2, at(4)), [1, 2]);
        assert_eq!(elements.startable(2, at(5)), [0, 1]);
        assert_eq!((elements.due_after(at(4)), elements.due_after(at(5))), (Some(at(5)), None));
        assert!(elements.rescheduled(at(-1)).is_empty());
        assert_eq!(elements.rescheduled(at(-9)), [(0, 1, at(-4))]);
        elements.reschedule_waiting(at(2));
        assert_eq!((elements.due(), elements.rescheduled(at(1))), (Some(at(2)), Vec::new()));
    }

    #[test]
    fn a_step_ends_when_all_elements_succeeded_or_one_failed_and_none_is_running() {
        let (mut elements, items) = (pending(2), Arc::from([Value::Null, Value::Null]));
        elements.set(0, ElementState::Running);
        elements.set(0, failed());
        assert!(matches!(elements.end(&items), Some(StepState::Failed { .. })));
        assert!(elements.startable(9, at(0)).is_empty());
        elements.set(1, ElementState::Claimed { attempt: 1 });
        assert!(elements.end(&items).is_none());
        assert_eq!(elements.unknown(), [(1, 1)]);
        elements.set(1, done());
        elements.set(0, done());
        assert!(matches!(elements.end(&items), Some(StepState::Succeeded(_))));
    }
}

//! Applies `oms runs retry`: failed steps begin again, waiting steps run now, and completed steps
//! stay completed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use oms_core::effects::Class;
use oms_core::value::Value;

use super::decision::IllegalEvent;
use super::element::Elements;
use super::event::Event;
use super::scheduler::{SavedState, Scheduler};
use super::state::{ElementState, StepState};
use crate::plan::PlannedStep;

/// The states of a step and its elements before the run moved to another version of the pipeline.
type PastStates = BTreeMap<Option<u32>, ElementState>;

impl Scheduler {
    /// Resets failed steps and moves waiting attempts to `at`. Elements that succeeded keep
    /// their outputs. Skipped steps are decided again if they depend on a step that is retried.
    pub(super) fn reopen(&mut self, at: Timestamp) {
        let mut reopened: Vec<bool> = Vec::with_capacity(self.steps.len());
        for (state, saved) in self.steps.iter_mut().zip(&mut self.saved) {
            let again = matches!(state, StepState::Failed { .. });
            if let StepState::Failed { failure, items, elements } = state {
                let resumed_state = match (elements.is_empty(), failure.class) {
                    (true, Class::Unknown) => Some(StepState::One(ElementState::Pending)),
                    (true, _) => None,
                    (false, _) => {
                        let again = elements.iter().map(succeeded_or_pending).collect();
                        let elements = Elements::new(again);
                        Some(StepState::Each { items: Arc::clone(items), elements })
                    }
                };
                *saved = resumed_state.map(|state| SavedState { state, has_begun_here: true });
                *state = StepState::Pending;
            }
            reschedule_waiting(state, at);
            reopened.push(again);
        }
        if self.plan.semantics().failures_reach_skipped_steps() {
            self.reopen_dependents(&mut reopened);
        } else {
            for state in &mut self.steps {
                if matches!(state, StepState::Skipped(reason) if reason.is_open_to_retries()) {
                    *state = StepState::Pending;
                }
            }
        }
    }

    /// Resets every skipped step that needs or catches a reopened one, and the skipped steps that
    /// depend on it in turn.
    fn reopen_dependents(&mut self, reopened: &mut [bool]) {
        let is_reopened = |reopened: &[bool], step: usize| reopened.get(step) == Some(&true);
        loop {
            let mut changed = false;
            for (step, planned) in self.plan.steps().iter().enumerate() {
                let needs = planned.needs.iter().map(|need| need.step);
                let mut needs = needs.chain(planned.catches.iter().copied());
                let depends = needs.any(|need| is_reopened(reopened, need));
                let Some(state @ StepState::Skipped(_)) = self.steps.get_mut(step) else {
                    continue;
                };
                if depends && let Some(again) = reopened.get_mut(step) {
                    *state = StepState::Pending;
                    (*again, changed) = (true, true);
                }
            }
            if !changed {
                return;
            }
        }
    }

    /// Applies the events of another version of the pipeline, from before a retry at `at` moved the
    /// run to this version. Keeps the outputs of the steps in `done`, the successful elements of
    /// other steps, and the attempts of waiting steps. All other steps start from the beginning.
    /// Events of steps that this version does not have are ignored.
    ///
    /// # Errors
    /// Returns an error if a step in `done` is not in this plan, or its output is not among the
    /// events.
    pub fn inherit(
        &mut self,
        events: &[Event],
        done: &[Arc<str>],
        at: Timestamp,
    ) -> Result<(), IllegalEvent> {
        let plan = Arc::clone(&self.plan);
        self.is_retried = true;
        let mut states: Vec<PastStates> = vec![PastStates::new(); plan.steps().len()];
        for event in events {
            record_past(&mut states, event, |step| plan.step(step), at);
            self.requests.apply(event, &plan);
        }
        self.requests.apply(&Event::Retried { at, done: None }, &plan);
        for id in done {
            let step = plan.step(id).ok_or_else(|| IllegalEvent::NoStep(Arc::clone(id)))?;
            let output = states.get_mut(step).and_then(|states| output(std::mem::take(states)));
            let output = output.ok_or_else(|| IllegalEvent::NotRunning(Arc::clone(id)))?;
            if let (Some(state), Some(slot)) =
                (self.steps.get_mut(step), self.outputs.get_mut(step))
            {
                *slot = output.clone();
                *state = StepState::Succeeded(output);
            }
        }
        // Lists are computed from outputs, so this loop runs after all outputs are set.
        for (step, (states, planned)) in states.into_iter().zip(plan.steps()).enumerate() {
            let begun = self.resumed_state(states, planned);
            if let Some(saved) = self.saved.get_mut(step) {
                *saved = begun.map(|state| SavedState { state, has_begun_here: false });
            }
        }
        Ok(())
    }

    /// Returns the state from which a step continues that had begun in another version of the
    /// pipeline.
    fn resumed_state(&self, states: PastStates, planned: &PlannedStep) -> Option<StepState> {
        if planned.for_each.is_none() {
            return states
                .into_iter()
                .find(|(element, _)| element.is_none())
                .map(|(_, state)| StepState::One(retried_state(&state)));
        }
        let last = states.keys().flatten().max()?;
        let items = self.expand(planned).ok()?;
        let mut elements = vec![ElementState::Pending; items.len()];
        elements.get(*last as usize)?;
        for (element, state) in states {
            let slot = element.and_then(|element| elements.get_mut(element as usize));
            if let Some(slot) = slot {
                *slot = retried_state(&state);
            }
        }
        Some(StepState::Each { items, elements: Elements::new(elements) })
    }
}

/// Records the result of an event in the past states of its step.
fn record_past(
    states: &mut [PastStates],
    event: &Event,
    position: impl Fn(&str) -> Option<usize>,
    at: Timestamp,
) {
    let (step, element, state) = match event {
        Event::Succeeded { step, element, output, .. } => {
            (step, *element, ElementState::Succeeded(output.clone()))
        }
        Event::Failed { step, element, attempt, retry_at: Some(_), .. } => {
            (step, *element, due_at(*attempt, at))
        }
        Event::Failed { step, element, failure, .. } => {
            (step, *element, ElementState::Failed(failure.clone()))
        }
        Event::Retried { .. } => {
            for states in states {
                states.retain(|_, state| !matches!(state, ElementState::Failed(_)));
            }
            return;
        }
        Event::ReadAgain { steps, .. } => {
            for step in steps.iter().filter_map(|step| position(step)) {
                if let Some(states) = states.get_mut(step) {
                    states.clear();
                }
            }
            return;
        }
        Event::Claimed { .. }
        | Event::Answered { .. }
        | Event::Skipped { .. }
        | Event::Rescheduled { .. }
        | Event::Cancelled { .. } => return,
    };
    if let Some(states) = position(step).and_then(|step| states.get_mut(step)) {
        states.insert(element, state);
    }
}

/// Returns the output of a step that succeeded: its own, or the list of its elements' outputs.
fn output(states: PastStates) -> Option<Value> {
    let output = |state| match state {
        ElementState::Succeeded(output) => Some(output),
        _ => None,
    };
    let mut outputs = Vec::with_capacity(states.len());
    for (at, (element, state)) in (0..).zip(states) {
        match element {
            None => return output(state),
            Some(element) if element == at => outputs.push(output(state)?),
            Some(_) => return None,
        }
    }
    (!outputs.is_empty()).then(|| Value::List(outputs.into()))
}

/// Returns the state in which an element of a failed step is retried.
fn succeeded_or_pending(state: &ElementState) -> ElementState {
    match state {
        ElementState::Succeeded(_) => state.clone(),
        _ => ElementState::Pending,
    }
}

/// Returns the state in which a step or element is retried. A failed one starts again; a waiting
/// one keeps its number of attempts.
fn retried_state(state: &ElementState) -> ElementState {
    match state {
        ElementState::Failed(_) => ElementState::Pending,
        other => other.clone(),
    }
}

/// Returns the state of an attempt that is retried immediately.
const fn due_at(attempts: u32, at: Timestamp) -> ElementState {
    ElementState::Waiting { attempts, until: at, wait: SignedDuration::ZERO }
}

/// Moves waiting attempts to `at`.
fn reschedule_waiting(state: &mut StepState, at: Timestamp) {
    match state {
        StepState::One(ElementState::Waiting { until, wait, .. }) => {
            (*until, *wait) = (at, SignedDuration::ZERO);
        }
        StepState::Each { elements, .. } => elements.reschedule_waiting(at),
        _ => {}
    }
}

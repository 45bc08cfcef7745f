//! Reads rows again when an upsert that depends on them is retried.
//!
//! A stretch writes only if nothing that it read has changed. An attempt after a wait or a retry
//! belongs to a later stretch than the read. The later stretch therefore repeats the read and the
//! steps that only compute from it. Effects that other steps had with the first result remain.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use oms_core::value::Value;

use super::scheduler::{SavedState, Scheduler};
use super::state::{ElementState, StepState};
use crate::plan::PlannedStep;
use crate::step::Verb;

impl Scheduler {
    /// Begins a stretch of a rebuilt run: everything read so far is from an earlier stretch.
    pub(super) fn begin_stretch(&mut self) {
        self.outputs_since_start.clear();
    }

    /// Returns the steps that must read again, and the steps that only compute from what they read.
    pub(super) fn outdated(&self, now: Timestamp) -> BTreeSet<usize> {
        let reads = self.plan.dependent_upserts().iter().filter(|dependent| {
            let is_tried_again =
                || self.is_retried || dependent.before.iter().any(|step| self.is_due(*step, now));
            self.has_output(dependent.read)
                && !self.outputs_since_start.contains(&dependent.read)
                && !self.steps.get(dependent.upsert).is_none_or(StepState::is_ended)
                && is_tried_again()
        });
        let mut outdated: BTreeSet<usize> = reads.map(|dependent| dependent.read).collect();
        while !outdated.is_empty() {
            let computed = self.plan.steps().iter().enumerate().filter(|(step, planned)| {
                self.has_output(*step) && only_computes(planned) && needs_any(planned, &outdated)
            });
            let more: Vec<usize> = computed.map(|(step, _)| step).collect();
            let known = outdated.len();
            outdated.extend(more);
            if outdated.len() == known {
                break;
            }
        }
        outdated
    }

    /// Resets steps to pending. Steps that have begun and need one of them continue after it.
    pub(super) fn read_again(&mut self, again: &BTreeSet<usize>) {
        let plan = Arc::clone(&self.plan);
        for (step, planned) in plan.steps().iter().enumerate() {
            let Some(state) = self.steps.get_mut(step) else { continue };
            if again.contains(&step) {
                *state = StepState::Pending;
                if let (Some(saved), Some(output)) =
                    (self.saved.get_mut(step), self.outputs.get_mut(step))
                {
                    (*saved, *output) = (None, Value::Missing);
                }
                self.outputs_since_start.remove(&step);
            } else if matches!(state, StepState::One(_) | StepState::Each { .. })
                && needs_any(planned, again)
                && let Some(saved) = self.saved.get_mut(step)
            {
                let state = std::mem::replace(state, StepState::Pending);
                *saved = Some(SavedState { state, has_begun_here: true });
            }
        }
    }

    /// Returns whether a step of this handler has an output.
    fn has_output(&self, step: usize) -> bool {
        matches!(self.steps.get(step), Some(StepState::Succeeded(output)) if !matches!(output, Value::Missing))
    }

    /// Returns whether the next attempt of a step is due.
    fn is_due(&self, step: usize, now: Timestamp) -> bool {
        let saved = || self.saved.get(step)?.as_ref().map(|saved| &saved.state);
        let state = match self.steps.get(step) {
            Some(StepState::Pending) => saved(),
            state => state,
        };
        match state {
            Some(StepState::One(ElementState::Waiting { until, .. })) => *until <= now,
            Some(StepState::Each { elements, .. }) => {
                elements.due().is_some_and(|until| until <= now)
            }
            _ => false,
        }
    }
}

/// Returns whether a step only computes and reads.
fn only_computes(planned: &PlannedStep) -> bool {
    planned.effects.iter().all(|effect| effect.verb == Verb::Get)
}

fn needs_any(planned: &PlannedStep, steps: &BTreeSet<usize>) -> bool {
    let mut needs =
        planned.needs.iter().map(|need| need.step).chain(planned.catches.iter().copied());
    needs.any(|need| steps.contains(&need))
}

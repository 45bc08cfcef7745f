//! Tracks which rows and objects the steps of a run write, so two steps or elements cannot
//! overwrite the same row or object unnoticed.
//!
//! The check is here and not in the ports, so it is the same for every storage. It runs when an
//! attempt starts and not when a journal is applied, because completed steps stay completed.

use std::collections::HashMap;
use std::sync::Arc;

use oms_core::effects::{Class, cause};
use oms_core::value::Value;

use super::failure::Failure;
use super::scheduler::Scheduler;
use super::state::{ElementState, StepState};
use crate::plan::{Plan, PlannedStep};
use crate::step::{Verb, WrittenItem};

/// A step, and its element with `for_each`.
type Writer = (usize, Option<u32>);

/// The items of the attempts that have begun and have not failed.
#[derive(Default)]
pub(super) struct WrittenItems {
    writers: HashMap<WrittenItem, Vec<Writer>>,
    of: HashMap<Writer, WrittenItem>,
}

impl WrittenItems {
    /// Records the item of an attempt.
    pub(super) fn record(&mut self, writer: Writer, item: WrittenItem) {
        if self.of.insert(writer, item.clone()).as_ref() == Some(&item) {
            return;
        }
        self.writers.entry(item).or_default().push(writer);
    }

    /// Removes the item of a failed attempt.
    pub(super) fn remove(&mut self, writer: Writer) {
        if let Some(item) = self.of.remove(&writer)
            && let Some(writers) = self.writers.get_mut(&item)
        {
            writers.retain(|known| *known != writer);
        }
    }

    /// Returns the failure of an attempt whose item another step or element has written, unless
    /// the attempt may replace that row.
    pub(super) fn conflict(
        &self,
        plan: &Plan,
        writer: Writer,
        item: &WrittenItem,
    ) -> Option<Failure> {
        let (step, element) = writer;
        let planned = plan.steps().get(step)?;
        // Upserts may replace rows of other steps. Elements of one step have no defined order, so
        // they may not.
        let replaces = planned.effects.iter().any(|effect| effect.verb == Verb::Upsert);
        let mut others = self.writers.get(item)?.iter();
        let (other, their_element) =
            others.find(|known| **known != writer && !(replaces && known.0 != step)).copied()?;
        let what = item.describe();
        let message = match (element, their_element) {
            (Some(element), Some(theirs)) if other == step => format!(
                "elements {theirs} and {element} write the same {what}; give each element its own key, for example with `index: i` under `for_each`"
            ),
            _ => {
                let other = plan.steps().get(other).map_or("", |other| &other.id);
                format!("the step `{other}` of this run wrote the same {what}")
            }
        };
        Some(Failure {
            class: Class::Permanent,
            cause: cause::CONFLICT.to_owned(),
            message,
            request: None,
        })
    }
}

impl Scheduler {
    /// Records the item of an attempt.
    ///
    /// # Errors
    /// Returns an error if another step or element has written the same row or object.
    pub(super) fn claim(
        &mut self,
        step: usize,
        element: Option<u32>,
        input: &Value,
    ) -> Result<(), Failure> {
        let plan = Arc::clone(self.plan());
        let Some(planned) = plan.steps().get(step).filter(|step| may_share(&plan, step)) else {
            return Ok(());
        };
        let Some(item) = planned.step.written_item(input) else { return Ok(()) };
        let mut written_items = self.written_items.take().unwrap_or_else(|| self.written());
        let conflict = written_items.conflict(&plan, (step, element), &item);
        if conflict.is_none() {
            written_items.record((step, element), item);
        }
        self.written_items = Some(written_items);
        conflict.map_or(Ok(()), Err)
    }

    /// Releases the item of an attempt that did not write to it.
    pub(super) fn release(&mut self, step: usize, element: Option<u32>) {
        if let Some(written_items) = &mut self.written_items {
            written_items.remove((step, element));
        }
    }

    /// Collects the items of the attempts in the journal.
    fn written(&self) -> WrittenItems {
        let mut written_items = WrittenItems::default();
        let plan = self.plan();
        for (at, (planned, state)) in plan.steps().iter().zip(self.steps()).enumerate() {
            // A step that is retried keeps what its elements have written.
            let saved = || self.saved.get(at)?.as_ref().map(|saved| &saved.state);
            let state = match state {
                StepState::Pending => saved().unwrap_or(state),
                _ => state,
            };
            if !has_begun(state) || !may_share(plan, planned) {
                continue;
            }
            let items = planned.for_each.as_ref().and_then(|_| self.expand(planned).ok());
            let elements: Vec<(Option<u32>, Option<&Value>)> = match &items {
                Some(items) => (0..).map(Some).zip(items.iter().map(Some)).collect(),
                None => vec![(None, None)],
            };
            for (element, item) in elements {
                let input = || self.input_for(at, element, item).ok();
                if is_written(state, element)
                    && let Some(item) = input().and_then(|input| planned.step.written_item(&input))
                {
                    written_items.record((at, element), item);
                }
            }
        }
        written_items
    }
}

const fn has_begun(state: &StepState) -> bool {
    !matches!(state, StepState::Pending | StepState::Skipped(_))
}

/// Returns whether an attempt of a step, or of one of its elements, has begun and has not failed.
fn is_written(state: &StepState, element: Option<u32>) -> bool {
    let begun =
        |state: &ElementState| !matches!(state, ElementState::Pending | ElementState::Failed(_));
    let of =
        |elements: &[ElementState], element: u32| elements.get(element as usize).is_some_and(begun);
    match (state, element) {
        // The effects of other handlers are unknown.
        (StepState::Succeeded(output), _) => !matches!(output, Value::Missing),
        (StepState::One(state), None) => begun(state),
        (StepState::Each { elements, .. }, Some(element)) => of(elements.states(), element),
        (StepState::Failed { elements, .. }, Some(element)) => of(elements, element),
        _ => false,
    }
}

/// Returns whether another step, or another element of this step, may write the same row or object.
pub(super) fn may_share(plan: &Plan, step: &PlannedStep) -> bool {
    let mut written = step.effects.iter().filter(|effect| effect.writes());
    written.any(|effect| {
        let same = |other: &PlannedStep| {
            let mut effects = other.effects.iter().filter(|effect| effect.writes());
            other.id != step.id
                && effects
                    .any(|other| (other.port, &other.resource) == (effect.port, &effect.resource))
        };
        step.for_each.is_some() || plan.steps().iter().any(same)
    })
}

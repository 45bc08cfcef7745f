//! The failures of a run, and which of them a catch step has handled.

use std::collections::BTreeSet;
use std::sync::Arc;

use oms_core::effects::Class;

use super::failure::Failure;
use super::scheduler::Scheduler;
use super::state::{ElementState, StepState};

impl Scheduler {
    /// Returns the failures with the ids of their steps, and whether a catch step has handled each.
    fn all_failures(&self) -> impl Iterator<Item = (&Arc<str>, &Failure, bool)> {
        self.steps.iter().zip(self.plan.steps()).filter_map(|(state, planned)| match state {
            StepState::Failed { failure, .. } => {
                let caught = planned.caught_by.is_some_and(|catcher| {
                    matches!(self.steps.get(catcher), Some(StepState::Succeeded(_)))
                });
                Some((&planned.id, failure, caught))
            }
            _ => None,
        })
    }

    /// Returns the failures that no catch step has handled, with the ids of their steps.
    pub fn failures(&self) -> impl Iterator<Item = (&Arc<str>, &Failure)> {
        let failures = self.all_failures().filter(|(_, _, caught)| !caught);
        failures.map(|(id, failure, _)| (id, failure))
    }

    /// Returns the failures that a catch step has handled, with the ids of their steps.
    pub fn caught(&self) -> impl Iterator<Item = (&Arc<str>, &Failure)> {
        let failures = self.all_failures().filter(|(_, _, caught)| *caught);
        failures.map(|(id, failure, _)| (id, failure))
    }

    /// Returns the distinct causes of the uncaught failures, sorted and separated by commas.
    pub fn causes(&self) -> String {
        joined(self.failures())
    }

    /// Returns the distinct causes of the caught failures, sorted and separated by commas.
    pub fn caught_causes(&self) -> String {
        joined(self.caught())
    }

    /// Returns the failures with an unknown outcome: the step's id, and the element with
    /// `for_each`. A parked run with such a failure is held.
    pub fn unknown_outcomes(&self) -> impl Iterator<Item = (&Arc<str>, Option<u32>)> {
        let unknown = |failure: &Failure| failure.class == Class::Unknown;
        self.steps.iter().zip(self.plan.steps()).flat_map(move |(state, planned)| {
            let held: Vec<Option<u32>> = match state {
                StepState::Failed { failure, elements, .. } if elements.is_empty() => {
                    unknown(failure).then_some(None).into_iter().collect()
                }
                StepState::Failed { elements, .. } => (0..)
                    .zip(elements)
                    .filter(|(_, element)| {
                        matches!(element, ElementState::Failed(failure) if unknown(failure))
                    })
                    .map(|(element, _)| Some(element))
                    .collect(),
                _ => Vec::new(),
            };
            held.into_iter().map(move |element| (&planned.id, element))
        })
    }
}

fn joined<'a>(failures: impl Iterator<Item = (&'a Arc<str>, &'a Failure)>) -> String {
    let causes: BTreeSet<&str> = failures.map(|(_, failure)| failure.cause.as_str()).collect();
    causes.into_iter().collect::<Vec<_>>().join(",")
}

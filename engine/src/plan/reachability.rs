//! Finds steps that can never run, because conditions are always false or exclude each other.

use oms_expression::Facts;

use super::checked::Need;
use crate::pipeline::Allow;

/// A condition that is true whenever a step runs: its own condition, or that of a step that must
/// have run before.
#[derive(Clone, Debug)]
pub(super) struct Condition {
    /// The step with this `when`.
    pub(super) step: usize,
    facts: Facts,
}

/// Why a step can never run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unreachable {
    /// Its own condition is never true.
    Condition,
    /// The conditions of these steps exclude each other.
    Exclusive(Vec<usize>),
    /// A step that it needs can never run, which was reported there.
    Inherited,
}

/// The conditions of the steps that have been added.
pub(super) struct Reachability {
    conditions: Vec<Vec<Condition>>,
    unreachable: Vec<bool>,
}

impl Reachability {
    pub(super) fn new(steps: usize) -> Self {
        Self { conditions: vec![Vec::new(); steps], unreachable: vec![false; steps] }
    }

    /// Adds a step, after all steps that it waits for. Returns the reason if it can never run.
    pub(super) fn add(
        &mut self,
        step: usize,
        needs: &[Need],
        catches: &[usize],
        when: Option<Facts>,
    ) -> Option<Unreachable> {
        // Of several caught steps, only one must have run.
        let only_caught = Some(catches).filter(|caught| caught.len() == 1).unwrap_or_default();
        let must_run: Vec<usize> = required(needs).chain(only_caught.iter().copied()).collect();
        let mut conditions: Vec<Condition> = Vec::new();
        for condition in must_run.iter().filter_map(|at| self.conditions.get(*at)).flatten() {
            if !conditions.iter().any(|known| known.step == condition.step) {
                conditions.push(condition.clone());
            }
        }
        // Each catch step has its own `error`.
        let own = when.map(|facts| Condition { step, facts: facts.without("error") });
        let never = own.as_ref().is_some_and(|own| own.facts.is_impossible());
        conditions.extend(own);
        let cannot_run = |at: &usize| self.unreachable.get(*at).copied() == Some(true);
        let inherited = must_run.iter().any(cannot_run)
            || !catches.is_empty() && catches.iter().all(cannot_run);
        let why = if never {
            Some(Unreachable::Condition)
        } else if inherited {
            Some(Unreachable::Inherited)
        } else {
            exclusive(&conditions).map(Unreachable::Exclusive)
        };
        if let (Some(slot), Some(unreachable)) =
            (self.conditions.get_mut(step), self.unreachable.get_mut(step))
        {
            *slot = conditions;
            *unreachable = why.is_some();
        }
        why
    }

    /// Returns the needs of a step that impose one of these conditions on it.
    pub(super) fn responsible(&self, needs: &[Need], conditions: &[usize]) -> Vec<usize> {
        let leads_to = |at: &usize| {
            let known = self.conditions.get(*at).into_iter().flatten();
            known.into_iter().any(|condition| conditions.contains(&condition.step))
        };
        required(needs).filter(leads_to).collect()
    }
}

/// Returns the needed steps that must have run, whether they succeeded or failed.
fn required(needs: &[Need]) -> impl Iterator<Item = usize> {
    let required = needs.iter().filter(|need| !need.allow.contains(&Allow::Skipped));
    required.map(|need| need.step)
}

/// Returns the first two conditions that exclude each other, or all conditions if they exclude each
/// other only in combination.
fn exclusive(conditions: &[Condition]) -> Option<Vec<usize>> {
    for (position, first) in conditions.iter().enumerate() {
        for second in conditions.iter().skip(position + 1) {
            if first.facts.exclude(&second.facts) {
                return Some(vec![first.step, second.step]);
            }
        }
    }
    let all = conditions.iter().fold(Facts::default(), |all, next| all.and(&next.facts));
    all.is_impossible().then(|| conditions.iter().map(|condition| condition.step).collect())
}

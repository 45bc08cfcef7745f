//! Decides whether a step can begin, from the ends of the steps that it needs or catches.

use std::sync::Arc;

use oms_core::effects::Class;

use super::event::SkipReason;
use super::scheduler::Scheduler;
use super::state::StepState;
use crate::pipeline::Allow;
use crate::plan::{Need, PlannedStep};

/// Whether a step can begin.
pub(super) enum Gate {
    /// It can.
    Open,
    /// That is not known yet.
    Wait,
    /// It never can.
    Skip(SkipReason),
}

/// The end of a step, as far as `allow` distinguishes ends.
enum End {
    Success,
    /// It was skipped, and nothing failed.
    Skip,
    /// It failed, or was skipped because the step `origin` failed. If `held`, a user has to
    /// decide whether it failed.
    Failure {
        origin: Arc<str>,
        held: bool,
    },
}

impl Scheduler {
    /// Decides whether a step can begin, apart from its condition.
    pub(super) fn gate(&self, planned: &PlannedStep) -> Gate {
        match self.catch_gate(&planned.catches) {
            Gate::Open if self.failures_reach_skipped_steps() => self.needs_gate(&planned.needs),
            Gate::Open => self.first_needs_gate(&planned.needs),
            closed => closed,
        }
    }

    fn failures_reach_skipped_steps(&self) -> bool {
        self.plan().semantics().failures_reach_skipped_steps()
    }

    /// Decides whether a catch step can begin, when all steps that it catches have ended. The
    /// result does not depend on which of them fails first.
    fn catch_gate(&self, caught: &[usize]) -> Gate {
        let (mut failed, mut skipped) = (caught.is_empty(), None);
        for step in caught {
            match self.steps.get(*step) {
                // A user must decide first whether it failed.
                Some(StepState::Failed { failure, .. }) if failure.class == Class::Unknown => {
                    return Gate::Wait;
                }
                Some(StepState::Failed { .. }) => failed = true,
                Some(StepState::Skipped(reason @ SkipReason::NeedFailed(_)))
                    if self.failures_reach_skipped_steps() =>
                {
                    skipped = skipped.or_else(|| Some(reason.clone()));
                }
                Some(state) if state.is_ended() => {}
                _ => return Gate::Wait,
            }
        }
        match failed {
            true => Gate::Open,
            false => Gate::Skip(skipped.unwrap_or(SkipReason::NothingToCatch)),
        }
    }

    /// Decides whether a step with these needs can begin. A failure that is not allowed decides
    /// immediately. A skipped step decides only when every need has ended, so the result does not
    /// depend on which need ends first.
    fn needs_gate(&self, needs: &[Need]) -> Gate {
        let (mut waits, mut skipped) = (false, None);
        for need in needs {
            match self.end_of(need.step) {
                Some(End::Success) => {}
                Some(End::Skip) if need.allow.contains(&Allow::Skipped) => {}
                Some(End::Skip) => {
                    let id = self.plan().steps().get(need.step).map(|step| Arc::clone(&step.id));
                    skipped = skipped.or(id);
                }
                Some(End::Failure { held, .. }) if need.allow.contains(&Allow::Failed) => {
                    waits |= held;
                }
                Some(End::Failure { origin, .. }) => {
                    return Gate::Skip(SkipReason::NeedFailed(origin));
                }
                None => waits = true,
            }
        }
        match skipped {
            _ if waits => Gate::Wait,
            Some(id) => Gate::Skip(SkipReason::NeedSkipped(id)),
            None => Gate::Open,
        }
    }

    /// Returns how a step ended, or `None` if it has not.
    fn end_of(&self, step: usize) -> Option<End> {
        let is_held = |state: Option<&StepState>| matches!(state, Some(StepState::Failed { failure, .. }) if failure.class == Class::Unknown);
        let state = self.steps.get(step)?;
        match state {
            StepState::Succeeded(_) => Some(End::Success),
            StepState::Failed { .. } => {
                let origin = Arc::clone(&self.plan().steps().get(step)?.id);
                Some(End::Failure { origin, held: is_held(Some(state)) })
            }
            StepState::Skipped(SkipReason::NeedFailed(origin)) => {
                let failed = self.plan().step(origin).and_then(|at| self.steps.get(at));
                Some(End::Failure { origin: Arc::clone(origin), held: is_held(failed) })
            }
            StepState::Skipped(_) => Some(End::Skip),
            StepState::Pending | StepState::One(_) | StepState::Each { .. } => None,
        }
    }

    /// Does the same as [`Self::needs_gate`] with the first version of the semantics: the first
    /// need, in the order of the file, decides, and every skipped step counts as skipped.
    fn first_needs_gate(&self, needs: &[Need]) -> Gate {
        for need in needs {
            let Some(needed) = self.plan().steps().get(need.step) else { return Gate::Wait };
            let reason = match self.steps.get(need.step) {
                Some(StepState::Succeeded(_)) => continue,
                Some(StepState::Skipped(_)) if need.allow.contains(&Allow::Skipped) => continue,
                Some(StepState::Failed { failure, .. }) if need.allow.contains(&Allow::Failed) => {
                    if failure.class == Class::Unknown {
                        return Gate::Wait;
                    }
                    continue;
                }
                Some(StepState::Skipped(_)) => SkipReason::NeedSkipped(Arc::clone(&needed.id)),
                Some(StepState::Failed { .. }) => SkipReason::NeedFailed(Arc::clone(&needed.id)),
                _ => return Gate::Wait,
            };
            return Gate::Skip(reason);
        }
        Gate::Open
    }
}

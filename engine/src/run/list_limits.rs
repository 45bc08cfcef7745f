//! When an order arrives, finds its lists that are too long for a step. Its run could only park,
//! and no retry would help.

use std::collections::BTreeSet;

use oms_core::value::{JsonProblem, ProblemKind, Type, Value, locate};
use oms_expression::{Compiled, ELEMENTS_MAX, Env, EvalError};

use crate::plan::{Plan, PlannedStep};

/// The minimum size in bytes of an order that has more elements than a step can process.
const BYTES_MIN: usize = 2 * ELEMENTS_MAX;

/// Finds the lists that are too long for steps that are certain to run. Expressions that depend on
/// outputs of steps are not checked.
pub(super) fn problems(plan: &Plan, order: &Value, run: &Value, body: &[u8]) -> Vec<JsonProblem> {
    if body.len() < BYTES_MIN || elements(order) <= ELEMENTS_MAX {
        return Vec::new();
    }
    let trial = DeterminedRun { plan, env: Env { order, run, ..Env::empty() } };
    let runs = trial.certain_steps();
    let mut pointers = BTreeSet::new();
    let mut problems = Vec::new();
    for (step, _) in plan.steps().iter().zip(&runs).filter(|(_, runs)| **runs) {
        let Some((pointer, message)) = trial.failure(step) else { continue };
        if pointers.insert(pointer.clone()) {
            let (kind, offset) = (ProblemKind::Shape, locate(body, &pointer));
            problems.push(JsonProblem { kind, pointer, offset, message });
        }
    }
    problems
}

/// Counts the elements of all lists within a value.
fn elements(value: &Value) -> usize {
    match value {
        Value::List(list) => list.len() + list.iter().map(elements).sum::<usize>(),
        Value::Record(record) => record.iter().map(|(_, value)| elements(value)).sum(),
        _ => 0,
    }
}

/// The beginning of a run, as far as the order alone determines it.
struct DeterminedRun<'a> {
    plan: &'a Plan,
    env: Env<'a>,
}

impl DeterminedRun<'_> {
    /// Returns for each step whether it is certain to run unless another step fails, and would park
    /// the run if it failed.
    fn certain_steps(&self) -> Vec<bool> {
        let own = |step: &PlannedStep| {
            let is_true = |when: &Compiled| {
                when.reads_steps().is_empty()
                    && !matches!(when.eval(&self.env), Ok(Value::Bool(false)))
            };
            step.catches.is_empty() && step.caught_by.is_none() && step.when.iter().all(is_true)
        };
        let steps = self.plan.steps();
        let mut certain: Vec<bool> = steps.iter().map(own).collect();
        loop {
            let is_certain = |step: usize| certain.get(step).copied().unwrap_or_default();
            let with_needs = (0..).zip(steps).map(|(at, step)| {
                is_certain(at) && step.needs.iter().all(|need| is_certain(need.step))
            });
            let next: Vec<bool> = with_needs.collect();
            if next == certain {
                return certain;
            }
            certain = next;
        }
    }

    /// Returns the pointer of a list that a step cannot process, and the message.
    fn failure(&self, step: &PlannedStep) -> Option<(String, String)> {
        let (when, each) = (step.when.as_ref(), step.for_each.as_ref().map(|each| &each.items));
        let whole = when.into_iter().chain(each);
        for compiled in whole.filter(|compiled| compiled.reads_steps().is_empty()) {
            match compiled.eval(&self.env) {
                Err(error) => return self.problem(step, compiled, error),
                Ok(Value::List(items)) if items.len() > ELEMENTS_MAX => {
                    return self.problem(
                        step,
                        compiled,
                        EvalError::TooLong { limit: ELEMENTS_MAX },
                    );
                }
                Ok(_) => {}
            }
        }
        let inputs = || step.input.fields().filter(|field| field.reads_steps().is_empty());
        let Some(each) = each else {
            return inputs()
                .find_map(|field| self.problem(step, field, field.eval(&self.env).err()?));
        };
        if !each.reads_steps().is_empty() {
            return None;
        }
        let items = each.eval(&self.env).ok()?;
        (0..).zip(items.as_list()?.iter()).find_map(|(position, item)| {
            let index = Value::Int(position);
            let env = Env { item: Some(item), index: Some(&index), ..self.env };
            inputs().find_map(|field| self.problem(step, field, field.eval(&env).err()?))
        })
    }

    fn problem(
        &self,
        step: &PlannedStep,
        compiled: &Compiled,
        error: EvalError,
    ) -> Option<(String, String)> {
        let ty: &Type = self.plan.order().schema().ty();
        let items = step.for_each.as_ref().map(|each| &each.items);
        let mut lists = compiled.lists(ty, items.filter(|items| !std::ptr::eq(*items, compiled)));
        if items.is_some_and(|items| std::ptr::eq(items, compiled)) {
            lists.extend(compiled.lists_as_items(ty));
        }
        let found: Vec<(String, usize)> =
            lists.iter().flat_map(|list| lengths(self.env.order, list)).collect();
        let id = &step.id;
        let longest = found.into_iter().max_by_key(|(_, length)| *length);
        let (pointer, length) = longest.unwrap_or_default();
        let message = match error {
            EvalError::TooLong { limit } if length > limit => {
                format!("must have at most {limit} elements: the step `{id}` cannot process more")
            }
            EvalError::TooLong { limit } => {
                format!("gives the step `{id}` a list of more than {limit} elements")
            }
            EvalError::TooMuch { limit } => {
                format!("is too long: the step `{id}` would visit more than {limit} elements")
            }
            EvalError::Overflow | EvalError::NoDate | EvalError::Mistyped => return None,
        };
        Some((pointer, message))
    }
}

/// Returns the pointers and the lengths of the lists at a path of names, in all elements of the
/// lists along the path.
fn lengths(order: &Value, path: &str) -> Vec<(String, usize)> {
    let mut values = vec![(String::new(), order)];
    for name in path.split('.') {
        let entered = values.into_iter().flat_map(|(pointer, value)| match value.as_list() {
            Some(list) => (0..)
                .zip(list.iter())
                .map(|(at, value): (usize, _)| (format!("{pointer}/{at}"), value))
                .collect(),
            None => vec![(pointer, value)],
        });
        values = entered
            .filter_map(|(pointer, value)| {
                let token = name.replace('~', "~0").replace('/', "~1");
                Some((format!("{pointer}/{token}"), value.as_record()?.get(name)?))
            })
            .collect();
    }
    let lists = values.into_iter();
    lists.filter_map(|(pointer, value)| Some((pointer, value.as_list()?.len()))).collect()
}

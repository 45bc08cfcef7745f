//! Settings that a step evaluates during the attempt, because they use the current row.
//!
//! The values of all other names are known when the attempt starts. They are captured as additional
//! fields of the step's input, whose names begin with `$`.

use std::sync::Arc;

use oms_core::diagnostic::{Finding, Place, Route, codes};
use oms_core::value::{Type, Value};
use oms_expression::{Compiled, Env, EvalError, Facts, Root, StepVar};

use super::context::PlanContext;
use super::fault::Fault;

/// The names, besides `row`, that settings of a step use, and the fields of its input with their
/// values.
#[derive(Clone, Debug, Default)]
pub struct Captures {
    roots: Vec<(Root, Arc<str>)>,
    steps: Vec<(usize, Arc<str>)>,
}

/// The captured values of an attempt.
#[derive(Clone, Debug)]
pub struct CapturedValues {
    roots: Vec<(Root, Value)>,
    /// The outputs of the steps by position.
    steps: Vec<Value>,
}

impl PlanContext<'_> {
    /// Compiles a setting that may use `row`, and adds the other names that it uses to `captures`.
    /// `facts` hold for the row.
    pub fn row_value(
        &mut self,
        route: &Route,
        raw: &serde_json::Value,
        expected: Option<&Type>,
        (row, facts): (&Type, Option<&Facts>),
        captures: &mut Captures,
    ) -> Option<Compiled> {
        if self.scope.names_element("row") {
            let message = "`row` is the current row here, but also the name of the element";
            let finding = Finding::error(codes::BAD_NAME, Place::value(route.clone()), message);
            self.fault(finding.help("choose another name in `for_each`".to_owned()));
            return None;
        }
        let mut scope = self.scope.clone();
        scope.define(Root::Row, row.clone());
        if let Some(facts) = facts {
            scope = scope.assume(facts);
        }
        let mut compiled = match oms_expression::compile_value(raw, expected, &scope) {
            Ok(compiled) => compiled,
            Err(problems) => {
                let faults = problems.into_iter();
                self.faults.extend(faults.map(|problem| Fault::of_problem(problem, route)));
                return None;
            }
        };
        if compiled.is_broken() {
            self.broken = true;
            return None;
        }
        let notes = compiled.take_notes().into_iter();
        self.faults.extend(notes.map(|problem| Fault::of_problem(problem, route)));
        self.capture(&compiled, captures);
        self.late.push(compiled.clone());
        Some(compiled)
    }

    fn capture(&mut self, compiled: &Compiled, captures: &mut Captures) {
        for root in Root::ALL {
            // The settings are part of the expression.
            let is_captured = !matches!(root, Root::Row | Root::Settings | Root::Intake);
            let mut reads = compiled.reads().map(|path| path.split(['.', '[']).next());
            let known = captures.roots.iter().any(|(known, _)| *known == root);
            if is_captured && !known && reads.any(|read| read == Some(root.as_str())) {
                let name: Arc<str> = Arc::from(format!("${}", root.as_str()));
                let path = self.scope.name_of(root).to_owned();
                if self.captured(&name, &path) {
                    captures.roots.push((root, name));
                }
            }
        }
        let steps = self.scope.steps().iter();
        let read: Vec<(usize, String)> = steps
            .filter_map(|(id, var)| match var {
                StepVar::Known { index, .. } if compiled.reads_steps().contains(index) => {
                    Some((*index, id.clone()))
                }
                _ => None,
            })
            .collect();
        for (index, id) in read {
            let name: Arc<str> = Arc::from(format!("$steps.{id}"));
            let known = captures.steps.iter().any(|(known, _)| *known == index);
            if !known && self.captured(&name, &format!("steps.{id}")) {
                captures.steps.push((index, name));
            }
        }
    }

    /// Adds a value to the input. Returns whether it is available.
    fn captured(&mut self, name: &Arc<str>, path: &str) -> bool {
        match oms_expression::compile(path, self.scope) {
            Ok(compiled) if !compiled.is_broken() => {
                self.fields.push((Arc::clone(name), compiled));
                true
            }
            _ => {
                self.broken = true;
                false
            }
        }
    }
}

impl Captures {
    /// Returns the captured values in the input of an attempt.
    pub fn values(&self, input: &Value) -> CapturedValues {
        let record = input.as_record();
        let value = |name: &str| {
            record.and_then(|record| record.get(name)).cloned().unwrap_or(Value::Missing)
        };
        let roots = self.roots.iter().map(|(root, name)| (*root, value(name))).collect();
        let mut steps = Vec::new();
        for (index, name) in &self.steps {
            if steps.len() <= *index {
                steps.resize(index + 1, Value::Missing);
            }
            if let Some(slot) = steps.get_mut(*index) {
                *slot = value(name);
            }
        }
        CapturedValues { roots, steps }
    }
}

impl CapturedValues {
    /// Evaluates a setting for a row.
    ///
    /// # Errors
    /// Returns an error if it cannot be evaluated, for example because a number is out of range.
    pub fn eval(&self, setting: &Compiled, row: &Value) -> Result<Value, EvalError> {
        let find = |root: Root| {
            self.roots.iter().find(|(known, _)| *known == root).map(|(_, value)| value)
        };
        let empty = Env::empty();
        setting.eval(&Env {
            order: find(Root::Order).unwrap_or(empty.order),
            run: find(Root::Run).unwrap_or(empty.run),
            steps: &self.steps,
            item: find(Root::Item),
            index: find(Root::Index),
            error: find(Root::Error),
            intake: None,
            row: Some(row),
        })
    }
}

//! What planning a step found wrong.

use std::sync::Arc;

use oms_core::diagnostic::{Code, Diagnostic, Finding, Place, Route};
use oms_expression::{Origin, Problem};

/// One thing that is wrong with a step.
#[derive(Clone, Debug)]
pub enum Fault {
    /// In the step's own settings: the finding's places are relative to `with`.
    Here {
        /// The finding.
        finding: Box<Finding>,
        /// Where the offending value was produced, if that is known.
        origin: Option<Origin>,
    },
    /// In another file, such as a template.
    Elsewhere {
        /// The diagnostic with its bytes.
        diagnostic: Box<Diagnostic>,
        /// The text that it points into.
        source: Option<(Arc<str>, Arc<str>)>,
    },
}

/// Everything that is wrong with a step.
pub type Faults = Vec<Fault>;

impl Fault {
    /// An error about a setting.
    pub fn at(field: &str, code: Code, message: impl Into<String>) -> Self {
        let place = Place::value(Route::root().key(field));
        Finding::error(code, place, message).into()
    }
}

impl From<Finding> for Fault {
    fn from(finding: Finding) -> Self {
        Self::Here { finding: Box::new(finding), origin: None }
    }
}

impl Fault {
    /// Takes over a problem of an expression that stands at `route`.
    pub fn of_problem(problem: Problem, route: &Route) -> Self {
        let origin = problem.origin.clone();
        Self::Here { finding: Box::new(problem.into_finding(route)), origin }
    }
}

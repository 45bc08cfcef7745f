//! The faults found while planning a step.

use std::sync::Arc;

use oms_core::diagnostic::{Code, Diagnostic, Finding, Place, Route};
use oms_expression::{Origin, Problem};

/// A fault of a step.
#[derive(Clone, Debug)]
pub enum Fault {
    /// A fault in the step's settings. The places of the finding are relative to `with`.
    Setting {
        /// The finding.
        finding: Box<Finding>,
        /// The origin of the offending value, if it is known.
        origin: Option<Origin>,
    },
    /// A fault in another file, such as a template.
    OtherFile {
        /// The diagnostic.
        diagnostic: Box<Diagnostic>,
        /// The path and the text to which the diagnostic refers.
        source: Option<(Arc<str>, Arc<str>)>,
    },
}

/// All faults of a step.
pub type Faults = Vec<Fault>;

impl Fault {
    /// Returns an error about a setting.
    pub fn at(field: &str, code: Code, message: impl Into<String>) -> Self {
        let place = Place::value(Route::root().key(field));
        Finding::error(code, place, message).into()
    }
}

impl From<Finding> for Fault {
    fn from(finding: Finding) -> Self {
        Self::Setting { finding: Box::new(finding), origin: None }
    }
}

impl Fault {
    /// Converts a problem of the expression at `route`.
    pub fn of_problem(problem: Problem, route: &Route) -> Self {
        let origin = problem.origin.clone();
        Self::Setting { finding: Box::new(problem.into_finding(route)), origin }
    }
}

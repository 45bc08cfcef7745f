//! The problems of an expression, and the errors of its evaluation.

use std::ops::Range;

use oms_core::diagnostic::{Code, Finding, Place, Route};

/// A problem with an expression, addressed relative to the given JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// The code of the finding.
    pub code: Code,
    /// The node, relative to the given JSON; the root for a single text.
    pub route: Route,
    /// The byte range within the decoded text of the scalar, including the opening `${{`; `None`
    /// for the whole node.
    pub within: Option<Range<usize>>,
    /// Whether the problem concerns the key of the node instead of its value.
    pub on_key: bool,
    /// The message.
    pub message: String,
    /// The label of the position.
    pub label: String,
    /// The suggestion.
    pub help: Option<String>,
    /// The origin of the offending value.
    pub origin: Option<Origin>,
    /// Its severity.
    pub severity: ProblemSeverity,
}

/// The severity of a problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProblemSeverity {
    /// The expression cannot be evaluated.
    Error,
    /// An error that earlier versions accepted. Runs that started with such a version still
    /// evaluate the expression.
    NewError,
    /// A warning.
    Warning,
}

impl Problem {
    /// Converts it to a finding. `at` is the route of the given JSON.
    pub fn into_finding(self, at: &Route) -> Finding {
        let route = at.join(&self.route);
        let place = match (self.on_key, self.within) {
            (true, _) => Place::key(route),
            (false, Some(within)) => Place::text(route, within),
            (false, None) => Place::value(route),
        };
        let finding = match self.severity {
            ProblemSeverity::Warning => Finding::warning(self.code, place, self.message),
            ProblemSeverity::Error => Finding::error(self.code, place, self.message),
            ProblemSeverity::NewError => {
                Finding::error(self.code, place, self.message).ignored_in_bundles()
            }
        };
        finding.label(self.label).help(self.help)
    }
}

/// The origin of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A field of the order.
    Order {
        /// Dotted path below the order, such as `customer.email`.
        path: String,
    },
    /// A step's output.
    Step {
        /// The step.
        index: usize,
        /// Dotted path below the output; empty for the whole output.
        field: String,
    },
}

/// The reason why a checked expression has no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A number is out of the range of its type: 64 bits for an integer, 28 digits for a
    /// decimal.
    #[error("a number is too large")]
    Overflow,
    /// A list is longer than an expression can process.
    #[error("a list has more than {limit} elements")]
    TooLong {
        /// The maximum number of elements.
        limit: usize,
    },
    /// Nested loops, or searches within loops, exceed the work allowed for one expression.
    #[error("the expression visits more than {limit} elements")]
    TooMuch {
        /// The maximum number of visits.
        limit: usize,
    },
    /// A timestamp falls on a day before the year 0 in the time zone.
    #[error("a date is before 0000-01-01 in its time zone")]
    NoDate,
    /// A value does not have the type that the expression was checked with. The caller passed a
    /// value that does not match the declared type.
    #[error("a value does not have the type that the expression was checked with")]
    Mistyped,
}

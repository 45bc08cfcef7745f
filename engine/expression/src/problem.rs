//! What can be wrong with an expression, and what can still go wrong when it runs.

use std::ops::Range;

use oms_core::diagnostic::{Code, Finding, Place, Route};

/// A finding about an expression, addressed relative to the JSON that was given.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Its kind.
    pub code: Code,
    /// The node, relative to the JSON given; the root for a single text.
    pub route: Route,
    /// Bytes within the decoded text of the scalar, the opening `${{` counted; the whole node without.
    pub within: Option<Range<usize>>,
    /// Whether the key of the node is meant rather than its value.
    pub on_key: bool,
    /// What is wrong.
    pub message: String,
    /// What is at this spot.
    pub label: String,
    /// What to write instead.
    pub help: Option<String>,
    /// Where the offending value comes from.
    pub origin: Option<Origin>,
    /// How grave it is.
    pub weight: Weight,
}

/// How grave a problem is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// There is nothing that could be evaluated.
    Error,
    /// An error that earlier versions accepted; it can be evaluated for runs that started with it.
    NewlyRefused,
    /// Worth a warning.
    Warning,
}

impl Problem {
    /// Makes a finding of it. `at` is the place of the JSON that was given.
    pub fn into_finding(self, at: &Route) -> Finding {
        let route = at.join(&self.route);
        let place = match (self.on_key, self.within) {
            (true, _) => Place::key(route),
            (false, Some(within)) => Place::text(route, within),
            (false, None) => Place::value(route),
        };
        let finding = match self.weight {
            Weight::Warning => Finding::warning(self.code, place, self.message),
            Weight::Error => Finding::error(self.code, place, self.message),
            Weight::NewlyRefused => Finding::error(self.code, place, self.message).newly_refused(),
        };
        finding.label(self.label).help(self.help)
    }
}

/// Where a value comes from.
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
        /// Dotted path below the output; empty for the whole of it.
        field: String,
    },
}

/// Why an expression that was checked gave no value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// A number left the range of its type: 64 bits for a whole number, 28 digits for a decimal.
    #[error("a number became too large")]
    Overflow,
    /// A list is longer than what an expression may run over.
    #[error("a list has more than {limit} elements")]
    TooLong {
        /// Elements at the most.
        limit: usize,
    },
    /// Loops within loops, or searches within loops, came to more work than an expression may do.
    #[error("the expression visits more than {limit} elements")]
    TooMuch {
        /// Visits at the most.
        limit: usize,
    },
    /// An instant falls on a day before the year 0 in the time zone that is used.
    #[error("a date is before 0000-01-01 in its time zone")]
    NoDate,
    /// A value does not have the type that the expression was checked with. The caller passed other values than it
    /// declared types for.
    #[error("a value does not have the type that the expression was checked with")]
    Mistyped,
}

//! [`TemplateProblem`]: a finding in one template file.

use std::ops::Range;

use oms_core::diagnostic::{Code, Severity};

/// Maximum number of errors reported for one template, and of warnings. Each finding shows its
/// line, so a file with thousands of findings in one long line would print that line thousands of
/// times.
pub const PROBLEMS_MAX: usize = 50;

/// A problem in a template, with its position in one of the files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The code of the finding.
    pub code: Code,
    /// The path of the file, relative to the pipeline file. For a missing file, the span is empty.
    pub path: String,
    /// The position in the text of the file, in bytes.
    pub span: Range<usize>,
    /// The message: lower case, no full stop, names in backticks.
    pub message: String,
    /// The label of the position. May be empty.
    pub label: String,
    /// The help text.
    pub help: Option<String>,
    /// The severity.
    pub severity: Severity,
}

/// A problem in the current file, with its position. Kept small, because it is often returned as an
/// error.
#[derive(Clone, Debug)]
pub(super) struct Fault {
    pub(super) code: Code,
    pub(super) span: Range<usize>,
    pub(super) message: String,
    pub(super) label: &'static str,
    pub(super) help: Option<Box<str>>,
    pub(super) severity: Severity,
}

impl Fault {
    pub(super) fn new(code: Code, span: Range<usize>, message: impl Into<String>) -> Self {
        Self {
            code,
            span,
            message: message.into(),
            label: "",
            help: None,
            severity: Severity::Error,
        }
    }

    #[must_use]
    pub(super) fn label(mut self, label: &'static str) -> Self {
        self.label = label;
        self
    }

    #[must_use]
    pub(super) fn help(mut self, help: impl Into<Option<String>>) -> Self {
        self.help = help.into().map(String::into_boxed_str);
        self
    }

    #[must_use]
    pub(super) fn warning(mut self) -> Self {
        self.severity = Severity::Warning;
        self
    }

    /// Adds the path of the file.
    pub(super) fn in_file(self, path: &str) -> TemplateProblem {
        TemplateProblem {
            code: self.code,
            path: path.to_owned(),
            span: self.span,
            message: self.message,
            label: self.label.to_owned(),
            help: self.help.map(String::from),
            severity: self.severity,
        }
    }
}

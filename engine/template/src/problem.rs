//! [`TemplateProblem`]: a finding in one template file.

use std::ops::Range;

use oms_core::diagnostic::{Code, Severity};

/// The most errors of one template that are told, and the most warnings: more help nobody, and a file of one long line that has thousands of them
/// would be shown as often.
pub const PROBLEMS_MAX: usize = 50;

/// What is wrong with a template, at bytes of one of its files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemplateProblem {
    /// The kind of finding.
    pub code: Code,
    /// The file, relative to the pipeline file. A file that is missing is named, too; its span is then empty.
    pub path: String,
    /// Bytes of that file's text.
    pub span: Range<usize>,
    /// What is wrong: lower case, no full stop, names in backticks.
    pub message: String,
    /// What is at this spot; may be empty.
    pub label: String,
    /// What to type.
    pub help: Option<String>,
    /// How bad it is.
    pub severity: Severity,
}

/// What is wrong at some bytes of the file at hand. Kept small, since it is an error that is often returned.
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

    /// Says which file it is in.
    pub(super) fn within(self, path: &str) -> TemplateProblem {
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

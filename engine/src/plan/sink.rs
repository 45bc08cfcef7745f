//! Collects the findings of checks, and resolves their places with the pipeline's document.

use std::sync::Arc;

use oms_core::diagnostic::{Code, Diagnostic, Finding, Label, Report, Severity, Source};
use oms_core::document::{Document, quoted};

pub(super) struct Sink<'d> {
    pub(super) document: &'d Document,
    pub(super) report: Report,
    /// Whether a stored bundle is checked. Runs may have started with it in an earlier version.
    pub(super) bundle: bool,
}

impl<'d> Sink<'d> {
    pub(super) fn new(document: &'d Document, bundle: bool) -> Self {
        let mut report = Report::new();
        report.add_source(document.path(), document.text());
        Self { document, report, bundle }
    }

    pub(super) fn add(&mut self, finding: Finding) {
        if self.bundle && finding.ignored_in_bundles {
            return;
        }
        let finding = self.explain_comment(finding);
        let diagnostic = self.document.resolve(finding);
        self.report.push(diagnostic);
    }

    /// Returns whether there is an error with a code.
    pub(super) fn has_error(&self, code: Code) -> bool {
        let mut found = self.report.diagnostics().iter();
        found.any(|diagnostic| diagnostic.code == code && diagnostic.severity == Severity::Error)
    }

    /// Explains an unclosed expression if YAML reads its end as a comment.
    fn explain_comment(&self, finding: Finding) -> Finding {
        if finding.message != oms_expression::NOT_CLOSED {
            return finding;
        }
        let line = self.document.value_with_comment(&finding.primary.0.route);
        let Some(line) = line.filter(|line| line.contains("}}")) else { return finding };
        let help = format!("put quotes around it: `{}`", quoted(line));
        let message = "the expression is cut off, because ` #` starts a comment in YAML".to_owned();
        Finding { message, ..finding }.help(help)
    }

    /// Adds a finding in a data file.
    pub(super) fn add_in_file(&mut self, found: InFile<'_>) {
        if found.private {
            self.report.add_private_source(found.path, found.text);
        } else {
            self.report.add_source(found.path, found.text);
        }
        let source = Source::new(Arc::clone(found.text));
        let start = source.byte_at(found.line, found.column);
        let rest = found.text.get(start..).unwrap_or_default();
        let length = rest.find(['\n', '\r']).unwrap_or(rest.len()).min(found.length);
        let end = (start..=start + length).rev().find(|end| found.text.is_char_boundary(*end));
        let label = Label {
            path: Arc::clone(found.path),
            span: start..end.unwrap_or(start),
            text: String::new(),
            primary: true,
        };
        self.report.push(Diagnostic {
            code: found.code,
            severity: Severity::Error,
            message: found.message,
            labels: vec![label],
            help: found.help,
        });
    }
}

/// A finding in a data file.
pub(super) struct InFile<'f> {
    pub(super) code: Code,
    pub(super) path: &'f Arc<str>,
    pub(super) text: &'f Arc<str>,
    /// Whether the file may contain personal data, so that its lines must not be printed.
    pub(super) private: bool,
    pub(super) line: usize,
    pub(super) column: usize,
    /// Maximum number of bytes to underline.
    pub(super) length: usize,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

//! Diagnostics, and the report that collects them with the sources that they refer to.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::Serialize;

use super::Code;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// The pipeline can run, but probably not as intended.
    Warning,
    /// The pipeline cannot run.
    Error,
}

/// A note at a place in a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// The display path of the source.
    pub path: Arc<str>,
    /// Bytes of the source. The range may be empty at the end of a line.
    pub span: Range<usize>,
    /// The text of the label, which may be empty.
    pub text: String,
    /// Whether the label marks the fault itself. Other labels explain it.
    pub primary: bool,
}

/// A finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind of finding, with its page.
    pub code: Code,
    /// The severity.
    pub severity: Severity,
    /// The message: lower case, no full stop, names in backticks.
    pub message: String,
    /// The labels. The first primary label marks the place of the finding.
    pub labels: Vec<Label>,
    /// How to fix it.
    pub help: Option<String>,
}

impl Diagnostic {
    /// Returns the first primary label, or the first label if none is primary.
    pub fn primary(&self) -> Option<&Label> {
        self.labels.iter().find(|label| label.primary).or_else(|| self.labels.first())
    }
}

/// The text of a file that labels refer to.
#[derive(Clone, Debug)]
pub struct Source {
    text: Arc<str>,
    line_starts: Vec<usize>,
    private: bool,
}

impl Source {
    /// Indexes the lines of `text`.
    pub fn new(text: Arc<str>) -> Self {
        let line_starts = std::iter::once(0)
            .chain(
                text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1),
            )
            .collect();
        Self { text, line_starts, private: false }
    }

    /// Marks a text that may contain personal data. Findings give the line and column of a place in
    /// it, but its lines are not printed.
    #[must_use]
    pub fn private(self) -> Self {
        Self { private: true, ..self }
    }

    /// Returns whether the lines of the text must not be printed.
    pub const fn is_private(&self) -> bool {
        self.private
    }

    /// Returns the whole text.
    pub fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Returns the line and the column (in characters) of a byte, both starting at 1.
    pub fn line_column(&self, byte: usize) -> (usize, usize) {
        let byte = byte.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= byte);
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(0);
        let column = self.text.get(start..byte).map_or(1, |text| text.chars().count() + 1);
        (line, column)
    }

    /// Returns the byte at which a line begins. Lines are numbered from 1.
    pub fn line_start(&self, line: usize) -> Option<usize> {
        self.line_starts.get(line.checked_sub(1)?).copied()
    }

    /// Returns the byte at a line and a column (in characters), both starting at 1. A place beyond
    /// the end of its line or of the text is moved back to that end.
    pub fn byte_at(&self, line: usize, column: usize) -> usize {
        let start = self.line_start(line).unwrap_or(self.text.len());
        let rest = self.text.get(start..).unwrap_or_default();
        let line_text = rest.lines().next().unwrap_or_default();
        let within = line_text.char_indices().nth(column.saturating_sub(1));
        start + within.map_or(line_text.len(), |(at, _)| at)
    }
}

/// The findings in a set of files, with the sources that they refer to.
#[derive(Clone, Debug, Default)]
pub struct Report {
    diagnostics: Vec<Diagnostic>,
    sources: BTreeMap<Arc<str>, Source>,
}

impl Report {
    /// Returns an empty report.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a source, so that the lines of its labels can be printed.
    pub fn add_source(&mut self, path: &Arc<str>, text: &Arc<str>) {
        if !self.sources.contains_key(path) {
            self.sources.insert(Arc::clone(path), Source::new(Arc::clone(text)));
        }
    }

    /// Adds a source whose lines must not be printed because they may contain personal data.
    pub fn add_private_source(&mut self, path: &Arc<str>, text: &Arc<str>) {
        let source = Source::new(Arc::clone(text)).private();
        self.sources.insert(Arc::clone(path), source);
    }

    /// Adds a finding.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Keeps the findings for which `keep` returns true.
    pub fn retain(&mut self, keep: impl FnMut(&Diagnostic) -> bool) {
        self.diagnostics.retain(keep);
    }

    /// Adds the findings and sources of another report.
    pub fn merge(&mut self, other: Self) {
        self.diagnostics.extend(other.diagnostics);
        for (path, source) in other.sources {
            // A source is private if either report marks it as private.
            if source.private || !self.sources.contains_key(&path) {
                self.sources.insert(path, source);
            }
        }
    }

    /// Sorts the findings by file and place, and drops exact duplicates.
    pub fn sort(&mut self) {
        fn order(finding: &Diagnostic) -> (Option<(&Arc<str>, usize)>, Code) {
            let place = finding.primary().map(|label| (&label.path, label.span.start));
            (place, finding.code)
        }
        self.diagnostics.sort_by(|a, b| order(a).cmp(&order(b)));
        // Findings with the same place and code keep their order, so duplicates may not be adjacent.
        for finding in std::mem::take(&mut self.diagnostics) {
            let earlier = self.diagnostics.iter().rev();
            let mut same_place = earlier.take_while(|known| order(known) == order(&finding));
            if !same_place.any(|known| *known == finding) {
                self.diagnostics.push(finding);
            }
        }
    }

    /// Returns the findings.
    pub fn diagnostics(&self) -> &[Diagnostic] {
        &self.diagnostics
    }

    /// Returns the source with the path of a label.
    pub fn source(&self, path: &str) -> Option<&Source> {
        self.sources.get(path)
    }

    /// Returns the number of errors.
    pub fn errors(&self) -> usize {
        self.diagnostics.iter().filter(|d| d.severity == Severity::Error).count()
    }

    /// Returns the number of warnings.
    pub fn warnings(&self) -> usize {
        self.diagnostics.len() - self.errors()
    }

    /// Returns whether the report has no errors.
    pub fn is_ok(&self) -> bool {
        self.errors() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::super::codes;
    use super::*;

    #[test]
    fn a_private_source_stays_private() {
        let (path, text): (Arc<str>, Arc<str>) = ("a".into(), "jane@example.com".into());
        let mut report = Report::new();
        report.add_private_source(&path, &text);
        report.add_source(&path, &text);
        let mut other = Report::new();
        other.add_source(&path, &text);
        other.merge(report.clone());
        report.merge(other.clone());
        assert!(report.source("a").is_some_and(Source::is_private));
        assert!(other.source("a").is_some_and(Source::is_private));
    }

    #[test]
    fn duplicates_are_dropped_and_the_order_is_kept() {
        let at = |start: usize, message: &str| Diagnostic {
            code: codes::UNKNOWN_NAME,
            severity: Severity::Error,
            message: message.to_owned(),
            labels: vec![Label {
                path: "a".into(),
                span: start..start + 1,
                text: String::new(),
                primary: true,
            }],
            help: None,
        };
        let mut report = Report::new();
        for (start, message) in [(5, "y"), (5, "x"), (5, "y"), (2, "y"), (5, "x"), (5, "z")] {
            report.push(at(start, message));
        }
        report.sort();
        assert_eq!(report.diagnostics(), [at(2, "y"), at(5, "y"), at(5, "x"), at(5, "z")]);
    }

    #[test]
    fn columns_count_characters_not_bytes() {
        let source = Source::new("a: ü\nbß: x".into());
        assert_eq!(source.line_column(3), (1, 4));
        assert_eq!(source.line_column(6), (2, 1));
        assert_eq!(source.line_column(9), (2, 3));
        assert_eq!(source.byte_at(2, 3), 9);
    }
}

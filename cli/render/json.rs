//! Findings as one JSON object. The types also define its JSON Schema.

use oms_engine::diagnostic::{Diagnostic, Label, Report, Severity};
use schemars::JsonSchema;
use serde::Serialize;

use super::place::{self, Position};
use super::summary::FileSummary;

/// Incremented when a member changes its meaning or is removed, but not for new members.
const FORMAT_VERSION: u32 = 1;

/// The result of a check.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct ReportOutput {
    /// The version of this format.
    pub format_version: u32,
    /// Whether there are no errors.
    pub ok: bool,
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The files that were checked.
    pub files: Vec<FindingsFile>,
    /// The findings: those of each pipeline by file and place, then those that compare pipelines.
    pub diagnostics: Vec<Finding>,
}

/// The result for one file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FindingsFile {
    /// The path as it was given or found.
    pub path: String,
    /// Whether there are no errors.
    pub ok: bool,
    /// The number of errors.
    pub errors: usize,
    /// The number of warnings.
    pub warnings: usize,
    /// The number of steps of the pipeline; null if the pipeline has errors.
    pub steps: Option<usize>,
}

/// A finding.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct Finding {
    /// The code, such as `OMS0303`.
    pub code: String,
    /// The severity.
    pub severity: FindingSeverity,
    /// The message.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
    /// The page that explains the code.
    pub page: String,
    /// The places. The first primary one is the place of the fault.
    pub labels: Vec<FindingLabel>,
}

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingSeverity {
    /// The pipeline cannot run.
    Error,
    /// The pipeline can run, but probably has a fault.
    Warning,
}

/// A note at a place in a file.
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub struct FindingLabel {
    /// The file.
    pub path: String,
    /// The start; null if the text of the file could not be read.
    pub start: Option<Position>,
    /// The position after the end.
    pub end: Option<Position>,
    /// The note; may be empty.
    pub text: String,
    /// Whether this is the fault itself. Other labels explain it.
    pub primary: bool,
}

impl ReportOutput {
    /// Converts a report to this format.
    pub fn new(report: &Report, files: &[FileSummary]) -> Self {
        Self {
            format_version: FORMAT_VERSION,
            ok: report.is_ok(),
            errors: report.errors(),
            warnings: report.warnings(),
            files: files.iter().map(FindingsFile::new).collect(),
            diagnostics: report.diagnostics().iter().map(|d| Finding::new(report, d)).collect(),
        }
    }
}

impl FindingsFile {
    fn new(file: &FileSummary) -> Self {
        let FileSummary { path, errors, warnings, steps } = file.clone();
        Self { path, ok: errors == 0, errors, warnings, steps }
    }
}

impl Finding {
    fn new(report: &Report, diagnostic: &Diagnostic) -> Self {
        Self {
            code: diagnostic.code.to_string(),
            severity: match diagnostic.severity {
                Severity::Error => FindingSeverity::Error,
                Severity::Warning => FindingSeverity::Warning,
            },
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
            page: format!("docs/errors/{}.md", diagnostic.code),
            labels: diagnostic.labels.iter().map(|l| FindingLabel::new(report, l)).collect(),
        }
    }
}

impl FindingLabel {
    fn new(report: &Report, label: &Label) -> Self {
        let positions =
            report.source(&label.path).map(|source| place::positions(source, &label.span));
        Self {
            path: label.path.to_string(),
            start: positions.map(|(start, _)| start),
            end: positions.map(|(_, end)| end),
            text: label.text.clone(),
            primary: label.primary,
        }
    }
}

/// Returns the report as one JSON object on one line.
pub fn json(report: &Report, files: &[FileSummary]) -> String {
    let Ok(text) = serde_json::to_string(&ReportOutput::new(report, files)) else {
        unreachable!("structs of texts and numbers always have a JSON form");
    };
    text + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_label_has_lines_columns_and_bytes() {
        let report = samples::report();
        let files = [FileSummary::new("pipelines/refund.yaml", &report, Some(2))];
        let text = json(&report, &files);
        assert_eq!(text.lines().count(), 1);
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["format_version"], 1);
        assert_eq!((&value["ok"], &value["errors"]), (&false.into(), &1.into()));
        assert_eq!(value["files"][0]["steps"], 2);
        let finding = &value["diagnostics"][0];
        assert_eq!(finding["code"], "OMS0303");
        assert_eq!(finding["page"], "docs/errors/OMS0303.md");
        let expected = serde_json::json!({
            "path": "pipelines/refund.yaml",
            "start": { "line": 10, "column": 13, "offset": 125 },
            "end": { "line": 10, "column": 19, "offset": 131 },
            "text": "`charge` waits for `notify`",
            "primary": true,
        });
        assert_eq!(finding["labels"][0], expected);
        assert_eq!(value["diagnostics"][1]["severity"], "warning");
    }

    #[test]
    fn a_label_into_an_unknown_file_has_no_position() {
        let label = Label { path: "gone.yaml".into(), span: 3..4, text: "x".into(), primary: true };
        let shown = FindingLabel::new(&Report::new(), &label);
        assert_eq!((shown.start, shown.end), (None, None));
    }

    #[test]
    fn the_schema_names_every_member_of_the_output() {
        let schema = schemars::schema_for!(ReportOutput);
        let output = serde_json::to_value(ReportOutput::new(&samples::report(), &[])).unwrap();
        let properties = schema.get("properties").unwrap().as_object().unwrap();
        for member in output.as_object().unwrap().keys() {
            assert!(properties.contains_key(member), "{member}");
        }
    }
}

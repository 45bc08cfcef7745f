//! The output formats of a report.

use oms_engine::diagnostic::Report;

use super::{FileSummary, github, human, json, sarif, summary};

/// The output format of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Text with source snippets, and a line for each file
    #[default]
    Human,
    /// One JSON object
    Json,
    /// Workflow commands for GitHub Actions, shown next to the lines of a pull request
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

impl Format {
    /// Returns the report in this format. It ends with a line break unless it is empty. `color`
    /// applies only to [`Human`](Self::Human).
    pub fn render(self, report: &Report, files: &[FileSummary], color: bool) -> String {
        match self {
            Self::Human => {
                let findings = human(report, color);
                let gap = if findings.is_empty() || files.is_empty() { "" } else { "\n" };
                format!("{findings}{gap}{}", summary(files))
            }
            Self::Json => json(report, files),
            Self::Github => github(report),
            Self::Sarif => sarif(report),
        }
    }
}

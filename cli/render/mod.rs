//! The output formats of a report: human-readable, JSON, GitHub and SARIF. The main type is [`Format`].
//! This module neither prints nor reads files, and it creates no findings.

mod github;
mod human;
mod json;
mod kind_page;
mod place;
#[cfg(test)]
mod samples;
mod sarif;
mod summary;
mod table;

use oms_engine::diagnostic::Report;

pub use github::github;
pub use human::human;
pub use json::{Finding, FindingLabel, FindingSeverity, FindingsFile, ReportOutput, json};
pub use kind_page::kind_page;
pub use place::Position;
pub use sarif::sarif;
pub use summary::{FileSummary, counts, summary};
pub(crate) use table::table;

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
    /// Returns the report in this format. It ends with a line break unless it is empty. `colour` applies only to
    /// [`Human`](Self::Human).
    pub fn render(self, report: &Report, files: &[FileSummary], colour: bool) -> String {
        match self {
            Self::Human => {
                let findings = human(report, colour);
                let gap = if findings.is_empty() || files.is_empty() { "" } else { "\n" };
                format!("{findings}{gap}{}", summary(files))
            }
            Self::Json => json(report, files),
            Self::Github => github(report),
            Self::Sarif => sarif(report),
        }
    }
}

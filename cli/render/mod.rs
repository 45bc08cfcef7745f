//! A report as text: for a person, for a program, for GitHub and for code scanning. The main type is [`Format`].
//! Nothing here prints, reads a file or decides what is wrong.

mod github;
mod human;
mod json;
mod place;
#[cfg(test)]
mod samples;
mod sarif;
mod summary;

use oms_engine::diagnostic::Report;

pub use github::github;
pub use human::human;
pub use json::{Finding, FindingLabel, FindingSeverity, FindingsFile, ReportOutput, json};
pub use place::Position;
pub use sarif::sarif;
pub use summary::{FileSummary, counts, summary};

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// Source snippets and a line for each file
    #[default]
    Human,
    /// One JSON object
    Json,
    /// Workflow commands, which GitHub Actions shows beside the lines of a pull request
    Github,
    /// SARIF 2.1.0, for code scanning
    Sarif,
}

impl Format {
    /// Returns the whole answer in this format, with a line end at its end unless it is empty. `colour` is for
    /// people only.
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

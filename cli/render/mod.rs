//! The output formats of a report: human-readable, JSON, GitHub and SARIF. The main type is
//! [`Format`]. This module neither prints nor reads files, and it creates no findings.

mod format;
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

pub use format::Format;
pub use github::github;
pub use human::human;
pub use json::{Finding, FindingLabel, FindingSeverity, FindingsFile, ReportOutput, json};
pub use kind_page::kind_page;
pub use place::Position;
pub use sarif::sarif;
pub use summary::{FileSummary, counts, summary};
pub(crate) use table::table;

//! Diagnostics as plain data: a [`Diagnostic`] has a [`Code`], a message, labels that point to
//! bytes of sources, and a help text. This module does not render them; that is up to the caller.

mod code;
mod finding;
mod report;
mod route;
mod shell;
mod suggest;

pub use code::{Code, codes};
pub use finding::Finding;
pub use report::{Diagnostic, Label, Report, Severity, Source};
pub use route::{Part, Place, Route, Segment};
pub use shell::quote;
pub use suggest::{closest, did_you_mean, one_of, without_line_break};

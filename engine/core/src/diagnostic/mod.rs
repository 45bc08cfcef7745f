//! What can be wrong with a file, as plain data: a [`Diagnostic`] has a [`Code`], a message, labels that
//! point at bytes of sources, and help. Nothing here prints, colours or decides; rendering is the caller's.

mod code;
mod finding;
mod report;
mod route;
mod suggest;

pub use code::{Code, codes};
pub use finding::Finding;
pub use report::{Diagnostic, Label, Report, Severity, Source};
pub use route::{Part, Place, Route, Segment};
pub use suggest::{closest, did_you_mean, one_of, without_line_break};

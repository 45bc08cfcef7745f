//! The export of objects and e-mails as files.

pub(crate) mod exporter;
mod file_name;
mod files;

pub use exporter::{Export, NotExported};
pub use files::{write_mail, write_object};

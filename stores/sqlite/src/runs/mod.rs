//! Runs and their data: rows, journals, bundles, objects, e-mails, exports, and the audit log.

pub(crate) mod audit;
pub(crate) mod bundles;
pub(crate) mod delete;
pub(crate) mod exports;
pub(crate) mod mails;
pub(crate) mod objects;
pub(crate) mod run_row;
pub(crate) mod search;

pub use audit::AuditEntry;
pub use bundles::StoredBundle;
pub use exports::ExportedRuns;
pub use mails::{MailRow, StoredMail, pack, unpack};
pub use objects::ObjectRow;
pub use run_row::{RunRow, StoredRun};
pub use search::{Page, Search};

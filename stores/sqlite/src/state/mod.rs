//! The state directory: its owner, its database file, its marker, its keys, backups, and the
//! permissions of its files.

pub(crate) mod backup;
pub(crate) mod database;
pub(crate) mod instant;
pub(crate) mod key;
mod lock;
pub(crate) mod marker;
pub mod private;
pub(crate) mod readers;
mod restore;
pub(crate) mod schema;

pub use backup::backup;
pub use database::{DATABASE_FILE, Database};
pub use key::{Key, Scope};
pub use readers::Reader;
pub use restore::{RestoreReport, restore};

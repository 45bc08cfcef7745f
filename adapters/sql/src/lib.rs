//! Statements for the tables of the pipeline and of `oms` in PostgreSQL, independent of the kind of
//! connection.
//!
//! [`Database`] is the connection: the RDS Data API (`oms-aws`) or a direct one (`oms-postgres`).
//! Except for the password verifier of a role, all values are bound; none is part of a statement's
//! text. Values are passed as text and cast by the statement itself, so that both connections
//! return the same bytes.
//!
//! **Invariant:** every effect of a run is a single statement that is correct under concurrency.

mod branches;
mod claims;
mod database;
mod erase;
mod failure;
mod mail_events;
mod migrate;
mod notes;
mod oms_tables;
mod operator;
mod roles;
mod row;
mod statement;
mod tables;
mod transfer;
mod update;
mod versions;

pub use branches::SqlBranches;
pub use claims::{Claim, Claims};
pub use database::{Database, Rows};
pub use erase::SqlErasure;
pub use failure::from_state;
pub use mail_events::SqlMailEvents;
pub use migrate::{MigrateError, SchemaChange, ddl, migrate, schema_changes};
pub use notes::{Note, NoteFilter, notes};
pub use operator::{CancelResult, CancelledOrder, cancel, erase_mail_records, prune};
#[cfg(feature = "roles")]
pub use roles::set_role;
pub use roles::{Grants, grant_statements};
pub use statement::{Hint, Parameter, Statement};
pub use tables::SqlTables;
pub use transfer::{ImportError, export, import};

//! What lies in PostgreSQL where orders leave one machine: the pipeline's tables and our own, as statements, whatever the way to the server.
//!
//! [`Database`] is that way: the RDS Data API (`oms-aws`) or a connection (`oms-postgres`). Everything is bound, never written into a
//! statement; values travel as text and are cast by the statement itself, so that both ways give the same bytes.
//!
//! **Invariant:** one thing that a run does is one statement, correct when two do it at the same moment.

mod branches;
mod claims;
mod database;
mod erase;
mod failure;
mod migrate;
mod noted;
mod roles;
mod row;
mod statement;
mod tables;
mod versions;

pub use branches::SqlBranches;
pub use claims::{Claim, Claims};
pub use database::{Database, Rows};
pub use erase::SqlErasure;
pub use failure::from_state;
pub use migrate::{MigrateError, ddl, migrate};
pub use noted::{Noted, Wanted, noted};
#[cfg(feature = "roles")]
pub use roles::set_role;
pub use roles::{Grants, granted};
pub use row::import;
pub use statement::{Hint, Parameter, Statement};
pub use tables::SqlTables;

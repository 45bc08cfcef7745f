//! Generates AWS Lambda handlers and their deployment files from a plan. Generation is
//! deterministic: the same plan gives the same bytes.
//!
//! Each module has one task. The plan's [`Choreography`](oms_engine::plan::Choreography) defines
//! the branches. `resources` defines the AWS resources that the branches need, `iam` their
//! permissions, `schema` the database, and `embed` the part of the pipeline in each handler.
//! `files` renders the files, and `vendored` has the crates that the handlers link.

mod embed;
mod events;
mod files;
mod generate;
mod grants;
mod iam;
mod intake;
mod resources;
mod schema;
mod vendored;

pub use generate::{GenerateError, Origin, generate};
pub use grants::{grants_of_branch, grants_of_reconcile};
pub use vendored::crates;

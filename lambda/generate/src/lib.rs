//! The generator: a plan in, the files of AWS Lambda handlers and all that deploys them out. A pure function, whose output is the same bytes for the
//! same plan.
//!
//! Passes, each of which does one thing: the plan's [`Choreography`](oms_engine::plan::Choreography) says which branches there are, `resources`
//! what they need on AWS, `iam` what they may do there, `schema` what lies in the database, `embed` what a handler has to know of the pipeline, and `files` writes it down.

mod embed;
mod events;
mod files;
mod generate;
mod grants;
mod iam;
mod intake;
mod resources;
mod schema;

pub use generate::{GenerateError, Origin, generate};
pub use grants::{grants_of_branch, grants_of_reconcile};

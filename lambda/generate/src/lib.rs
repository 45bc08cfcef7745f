//! Generates AWS Lambda handlers and their deployment files from a plan. Generation is
//! deterministic: the same plan gives the same bytes.
//!
//! Each module has one task. The plan's [`Choreography`](oms_engine::plan::Choreography) defines
//! the branches. `resources` defines the AWS resources that the branches need, `iam` their
//! permissions, `schema` the database, `dashboard` what operators see, and `embed` the part of the
//! pipeline in each handler. `lines` finds the steps in the pipeline file. `cost` computes the cost of
//! the stack from the `prices`, and `throughput` its limits. `compare` finds changes that harm
//! accepted orders. `files` renders the files, and
//! `vendored` has the crates that the handlers link.

mod arithmetic;
mod billing;
mod calls;
mod charges;
mod compare;
mod cost;
mod dashboard;
mod embed;
mod events;
mod files;
mod generate;
mod grants;
mod iam;
mod intake;
mod limits;
mod lines;
mod narrowing;
mod prices;
mod rendered;
mod resources;
mod schema;
mod throughput;
mod usage;
mod vendored;

pub use arithmetic::CostError;
pub use compare::{CompareError, risky_changes};
pub use generate::{GenerateError, Origin, generate};
pub use grants::{
    grants_of_branch, grants_of_mail_events, grants_of_operator, grants_of_reconcile,
};
pub use prices::PricesError;
pub use vendored::crates;

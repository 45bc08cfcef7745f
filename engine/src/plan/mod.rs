//! The checks, and the plan that only they can make.
//!
//! [`Checker::check`] reads a pipeline file and everything that it names, and reports every fault
//! at once. If there is none it gives a [`Plan`]: names resolved, expressions compiled, steps
//! ready, the graph acyclic. There is no other way to a plan, so that whoever runs one need not
//! check anything again.

mod allowed;
mod check;
mod checked;
mod choreography;
mod direct;
mod graph;
mod handlers;
mod isolation;
mod lists;
mod mail;
mod order;
mod rates;
mod reachability;
mod samples;
mod schema_values;
mod semantics;
mod sink;
mod steps;
mod tables;
mod time_zone;

pub use check::{Checked, Checker, Target, overlapping_intakes};
pub use checked::{ForEach, Handler, Need, Plan, PlannedStep, Retry, Seed};
pub use choreography::{Branch, Choreography, LAMBDA_BODY_MAX, ObjectKey, choreography};
pub use isolation::DependentUpsert;
pub use order::{KeyError, OrderPlan, valid_key};
pub use semantics::Semantics;
pub(crate) use steps::{error_record, run_record};
pub use tables::{RowError, read_row, read_rows, row_lines};

//! The checks of a pipeline, and the plan that only they can create.
//!
//! [`Checker::check`] reads a pipeline file and all files that it refers to, and reports all faults
//! at once. If there are no errors, it returns a [`Plan`]: names are resolved, expressions are
//! compiled, steps are ready and the graph is acyclic. There is no other way to create a plan, so
//! code that runs a plan does not have to check anything again.

mod allowed;
mod check;
mod checked;
mod choreography;
mod direct;
mod element_names;
mod graph;
mod handlers;
mod ignore;
mod isolation;
mod lists;
mod mail;
mod order;
mod rates;
mod reachability;
mod retry;
mod samples;
mod schema_values;
mod semantics;
mod services;
mod setting_text;
mod settings;
mod sink;
mod steps;
mod tables;
mod time_zone;
mod webhooks;

pub use check::{Checked, Checker, InvalidKindSchema, Target, overlapping_intakes};
pub use checked::{ForEach, Handler, Need, Plan, PlannedStep, Retry, Seed};
pub use choreography::{Branch, Choreography, LAMBDA_BODY_MAX, ObjectKey, choreography};
pub use isolation::DependentUpsert;
pub(crate) use order::larger_than;
pub use order::{KeyError, OrderPlan, valid_key};
pub use semantics::Semantics;
pub use settings::{Environment, UnsetSetting};
pub(crate) use steps::{error_record, run_record};
pub use tables::{RowError, read_row, read_rows, row_lines};

//! The engine of `oms`: it reads a pipeline file, checks it and runs it.
//!
//! The crate re-exports the modules of the crates below it, so that a program with its own step kinds needs one dependency.
//! The engine knows ports, not services: no AWS, no database, no command line, no clock.

#![warn(missing_docs)]

pub mod intake;
pub mod pipeline;
pub mod plan;
pub mod run;
pub mod schema;
pub mod step;

pub use oms_core::{diagnostic, document, effects, mail, money, record, table, time_zone, value};
pub use oms_expression as expression;
pub use oms_template as template;
pub use oms_template::locale;

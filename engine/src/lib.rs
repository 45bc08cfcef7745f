//! The engine of `oms`. It reads, checks and runs pipelines. It depends on ports instead of
//! services: the crate contains no AWS client, no database, no command line and no clock.

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

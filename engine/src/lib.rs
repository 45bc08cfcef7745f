//! The engine of `oms`. It reads, checks and runs pipelines. It depends on ports instead of
//! services: the crate contains no AWS client, no database, no command line and no clock.

#![warn(missing_docs)]

pub mod diagnostic;
pub mod document;
pub mod effects;
pub mod expression;
pub mod intake;
pub mod locale;
pub mod mail;
pub mod money;
pub mod pipeline;
pub mod plan;
pub mod run;
pub mod schema;
pub mod step;
pub mod table;
pub mod template;
pub mod time_zone;
pub mod value;

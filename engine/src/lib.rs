//! The engine of `oms`: a pipeline file is read, proved right and run. It knows ports, not
//! services: no AWS, no database, no command line, no clock of its own.

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

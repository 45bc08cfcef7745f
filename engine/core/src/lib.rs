//! The shared base of `oms`: findings, documents, values, money, tables, e-mails, and the port
//! traits.
//!
//! Of the crates of the engine, adapters depend only on this one, so that they link no expression
//! language, no templates and no locale data.

#![warn(missing_docs)]

pub mod diagnostic;
pub mod document;
pub mod effects;
pub mod mail;
pub mod money;
pub mod table;
pub mod time_zone;
pub mod value;

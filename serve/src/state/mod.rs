//! The state of the server: the site, its pipelines, their open work, and the sessions of the
//! console.

mod audit;
pub(crate) mod authorization;
mod bulk_retry;
pub(crate) mod error;
pub(crate) mod flow;
mod indexing;
pub(crate) mod notice;
mod operations;
mod recent_orders;
pub(crate) mod sessions;
pub(crate) mod site;
pub(crate) mod source;
pub(crate) mod waiting_requests;
pub(crate) mod workers;

//! What the server holds: the site and its pipelines.

pub(crate) mod bulk_retry;
pub(crate) mod flow;
pub(crate) mod indexing;
pub(crate) mod recent_orders;
pub(crate) mod sessions;
pub(crate) mod site;

//! Orders over HTTP.

pub(crate) mod openapi;
pub(crate) mod orders;
pub(crate) mod wait;

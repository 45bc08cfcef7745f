//! Orders over HTTP: accepting them, their state, and the OpenAPI document that describes both.

pub(crate) mod accept;
pub(crate) mod openapi;
pub(crate) mod status;
mod wait;

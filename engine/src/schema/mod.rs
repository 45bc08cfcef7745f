//! The order schema: the subset of JSON Schema (2020-12) from which types come, and the rest, which only validates.

mod compile;
mod draft4;
mod keywords;
mod order;
mod personal;
pub(crate) mod words;

pub use compile::SchemaProblem;
pub use order::OrderSchema;

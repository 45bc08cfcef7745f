//! The order schema: the subset of JSON Schema (2020-12) from which types come, and the rest, which
//! only validates.
//!
//! One rule decides about an order: the reader alone gives the verdict if it asserts every keyword
//! at every place of the schema (`compile` proves that); otherwise the validator does, and the
//! reader only makes values. Decision 0019 tells why.

mod bounds;
mod check;
mod compile;
mod constants;
mod covered;
mod customer;
mod decimals;
mod draft4;
mod faults;
mod formats;
mod in_place;
mod index;
mod instance;
mod keywords;
mod list_bounds;
mod lower;
mod marks;
mod meta;
mod number;
mod number_type;
mod order;
mod unfit_values;
mod union;
pub(crate) mod words;

pub use compile::{SchemaProblem, Typing};
pub use customer::CustomerMembers;
pub(crate) use list_bounds::{ListBound, list_bound};
pub(crate) use number::is_number_of;
pub use order::OrderSchema;
pub(crate) use unfit_values::unfit_values;

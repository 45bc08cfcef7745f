//! The order schema. Types are derived from a subset of JSON Schema (2020-12). The rest is used
//! only for validation.
//!
//! If the reader asserts every keyword in every place of the schema, which `compile` determines,
//! the reader alone decides whether an order is valid. Otherwise the validator decides, and the
//! reader only creates values. Decision 0019 explains why.

mod bounds;
mod check;
mod compile;
mod constants;
mod customer;
mod decimals;
mod draft4;
mod faults;
mod formats;
mod impossible_values;
mod in_place_applicators;
mod index;
mod instance;
mod keywords;
mod list_bounds;
mod marks;
pub(crate) mod messages;
mod meta;
mod number;
mod number_type;
mod order;
mod problem;
mod reader_keywords;
mod strip_extensions;
mod type_rules;
mod union;

pub use customer::CustomerMembers;
pub(crate) use impossible_values::impossible_values;
pub(crate) use list_bounds::{ListBound, list_bound};
pub(crate) use number::is_exact;
pub use order::OrderSchema;
pub use problem::{SchemaProblem, SchemaProblemKind};
pub(crate) use problem::{in_schema, place_in};
pub use type_rules::TypeRules;

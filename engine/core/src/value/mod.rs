//! The values that flow between steps, and their static types. A [`Value`] is exact: it has
//! decimals and no floats. A [`Type`] describes the properties of a value that are known before a
//! run. The order schema, tables and steps create both.

mod compatibility;
mod count;
mod data;
mod difference;
mod digest;
mod email;
mod ignored;
mod interval;
pub mod json_messages;
mod json_node;
mod json_position;
mod json_problem;
mod json_read;
mod json_scalar;
mod json_walk;
mod json_write;
mod mask;
mod mask_text;
mod membership;
mod typed;
mod types;
mod units;

pub use count::{format_count, format_quantity};
pub use data::{Record, Value, format_timestamp};
pub use difference::{Differences, differences, without_ignored};
pub use digest::Digest;
pub use email::is_email;
pub use ignored::{EACH_ELEMENT, IgnoredMembers};
pub use interval::Interval;
pub use json_node::{ELEMENTS_MAX, JsonKind, JsonNode, Member, RecordNode};
pub use json_position::{locate, locate_name};
pub use json_problem::{JsonProblem, ProblemKind};
pub use json_read::{PROBLEMS_MAX, Parsed, read_accepted_json, read_json};
pub use json_scalar::{ScalarError, check_digits, decimal, is_uri, parse_date, parse_timestamp};
pub use json_walk::{JsonVisitor, walk_json};
pub use json_write::{to_json, write_json};
pub use mask::masked;
pub use mask_text::masked_text;
pub use typed::{EmailAddress, NoOutput, Typed};
pub use types::{DateFormat, Field, Limits, Mismatch, RecordType, Shape, Type, Unit};

//! The values that flow between steps, and their static types. A [`Value`] is exact: it has
//! decimals and no floats. A [`Type`] describes what is known of a value before a run. The order
//! schema, tables and steps create both.

mod count;
mod data;
mod difference;
mod digest;
mod email;
mod interval;
mod json_node;
mod json_place;
mod json_read;
mod json_scalar;
pub mod json_words;
mod json_write;
mod mask;
mod mask_text;
mod typed;
mod types;
mod widened;

pub use count::{format_count, format_quantity};
pub use data::{Record, Value, format_timestamp};
pub use difference::{Differences, differences};
pub use digest::Digest;
pub use email::is_email;
pub use interval::Interval;
pub use json_node::{ELEMENTS_MAX, JsonKind, JsonNode, Member, RecordNode};
pub use json_place::{locate, locate_name};
pub use json_read::{JsonProblem, PROBLEMS_MAX, Parsed, ProblemKind, read_json, revive_json};
pub use json_scalar::{decimal, is_uri, parse_date, parse_timestamp, sized};
pub use json_write::{to_json, write_json};
pub use mask::masked;
pub use mask_text::masked_text;
pub use typed::{EmailAddress, Nothing, Typed};
pub use types::{DateFormat, Field, Limits, Mismatch, RecordType, Shape, Type, Unit};

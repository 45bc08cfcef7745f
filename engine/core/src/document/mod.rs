//! Text to values, and addresses to bytes: the only place that knows a YAML reader.
//!
//! [`parse`] turns the text of a pipeline file into a [`Document`]: a tree of exact values in which every key and every value knows
//! its bytes. Checks speak of [`crate::diagnostic::Place`]s; the document resolves them.

mod comments;
mod files;
mod flow;
mod limits;
mod mark;
mod node;
mod orders;
mod quote;
mod read;
mod scalar;
mod unreadable;

pub use comments::Comment;
pub use files::{FileError, Files, MemoryFiles, Recorder};
pub use limits::{ALIASES_MAX, BYTES_MAX, DEPTH_MAX, NODES_MAX};
pub use mark::without_mark;
pub use node::{Entry, Node, NodeValue};
pub use orders::{OrderForm, OrderText, read_orders};
pub use quote::quoted;
pub use read::{Document, parse, parse_texts};

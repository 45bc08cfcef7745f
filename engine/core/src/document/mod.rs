//! Parses YAML text into values and resolves places to bytes. Only this module uses the YAML
//! reader.
//!
//! [`parse`] turns the text of a pipeline file into a [`Document`]: a tree of exact values that
//! stores the bytes of every key and value. Checks report [`crate::diagnostic::Place`]s, and the
//! document resolves them to bytes.

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

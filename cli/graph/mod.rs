//! Graphs of a pipeline, drawn from plain data. The main type is [`Graph`], the formats are
//! [`mermaid`], [`dot`] and [`svg`]. The output is deterministic. Drawing does not depend on plans
//! and prints nothing.

mod dot;
mod layout;
mod mermaid;
mod model;
mod of_plan;
#[cfg(test)]
mod samples;
mod svg;

pub use dot::dot;
pub use mermaid::mermaid;
pub use model::{Edge, EdgeStyle, Graph, Node};
pub(crate) use of_plan::of_plan;
pub use svg::svg;

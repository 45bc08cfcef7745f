//! Pictures of a pipeline, made from plain data: the main type is [`Graph`], the pictures are [`mermaid`], [`dot`]
//! and [`svg`]. The same graph always gives the same bytes. Nothing here knows what a plan is, or prints.

mod dot;
mod layout;
mod mermaid;
#[cfg(test)]
mod samples;
mod svg;

pub use dot::dot;
pub use mermaid::mermaid;
pub use svg::svg;

/// What is drawn.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The pipeline's name.
    pub title: String,
    /// The steps, in the order of the file.
    pub nodes: Vec<Node>,
    /// What ties them together. An edge from or to a node that does not exist is not drawn.
    pub edges: Vec<Edge>,
}

/// A step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The step's id.
    pub id: String,
    /// What it uses, such as `topic.publish`.
    pub kind: String,
    /// What else is worth knowing, such as `for each item`.
    pub note: Option<String>,
    /// The handler that runs it; the steps of one handler share a tint.
    pub branch: Option<String>,
    /// Whether it runs only after another step failed.
    pub catch: bool,
}

/// An arrow from one step to one that comes after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The position of the step that comes first.
    pub from: usize,
    /// The position of the step that waits for it.
    pub to: usize,
    /// How the one depends on the other.
    pub style: EdgeStyle,
}

/// How a step depends on one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeStyle {
    /// It runs if the other succeeded.
    Needs,
    /// It runs after the other, also if that was skipped or failed.
    Allows,
    /// It runs if the other failed.
    Catches,
}

impl Graph {
    /// Returns the names of the branches, in the order in which they first appear.
    fn branches(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.nodes.iter().filter_map(|node| node.branch.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Returns the nodes of one branch (or of none) with their positions.
    fn nodes_of<'a>(
        &'a self,
        branch: Option<&'a str>,
    ) -> impl Iterator<Item = (usize, &'a Node)> + 'a {
        self.nodes.iter().enumerate().filter(move |(_, node)| node.branch.as_deref() == branch)
    }

    /// Returns the edges whose ends exist.
    fn edges_drawn(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(|edge| edge.from.max(edge.to) < self.nodes.len())
    }
}

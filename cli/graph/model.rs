//! The graph that the formats draw.

/// A graph to draw.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Graph {
    /// The pipeline's name.
    pub title: String,
    /// The steps, in the order of the file.
    pub nodes: Vec<Node>,
    /// The dependencies of the steps. An edge from or to a node that does not exist is not drawn.
    pub edges: Vec<Edge>,
}

/// A step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Node {
    /// The step's id.
    pub id: String,
    /// The step's kind, such as `topic.publish`.
    pub kind: String,
    /// A note, such as `for each element`.
    pub note: Option<String>,
    /// The handler that runs the step. Steps of the same handler have the same tint or frame.
    pub branch: Option<String>,
    /// Whether it is a catch step.
    pub catch: bool,
}

/// An edge from a step to a step that runs after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The position of the step that runs first.
    pub from: usize,
    /// The position of the step that waits for it.
    pub to: usize,
    /// The type of the dependency.
    pub style: EdgeStyle,
}

/// The dependency of a step on an earlier step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EdgeStyle {
    /// Runs if the other step succeeded.
    Needs,
    /// Runs after the other step, even if that step was skipped or failed.
    Allows,
    /// Runs if the other step failed.
    Catches,
}

impl Graph {
    /// Returns the names of the branches in the order of their first appearance.
    pub(super) fn branches(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for name in self.nodes.iter().filter_map(|node| node.branch.as_deref()) {
            if !names.contains(&name) {
                names.push(name);
            }
        }
        names
    }

    /// Returns the nodes of one branch, or those without a branch, with their positions.
    pub(super) fn nodes_of<'a>(
        &'a self,
        branch: Option<&'a str>,
    ) -> impl Iterator<Item = (usize, &'a Node)> + 'a {
        self.nodes.iter().enumerate().filter(move |(_, node)| node.branch.as_deref() == branch)
    }

    /// Returns the edges whose nodes exist.
    pub(super) fn edges_drawn(&self) -> impl Iterator<Item = &Edge> {
        self.edges.iter().filter(|edge| edge.from.max(edge.to) < self.nodes.len())
    }
}

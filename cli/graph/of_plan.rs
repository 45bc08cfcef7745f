//! The graph of a checked pipeline.

use oms_engine::pipeline::Allow;
use oms_engine::plan::Plan;

use super::{Edge, EdgeStyle, Graph, Node};

/// Returns the graph of the steps of a plan.
pub(crate) fn of_plan(plan: &Plan) -> Graph {
    let nodes = plan
        .steps()
        .iter()
        .enumerate()
        .map(|(at, step)| {
            let handler = plan.handlers().iter().find(|handler| handler.steps.contains(&at));
            let mut notes = Vec::new();
            if step.when.is_some() {
                notes.push("conditional");
            }
            if step.for_each.is_some() {
                notes.push("for each element");
            }
            Node {
                id: step.id.to_string(),
                kind: step.kind.to_owned(),
                note: (!notes.is_empty()).then(|| notes.join(", ")),
                branch: handler.map(|handler| handler.name.to_string()),
                catch: !step.catches.is_empty(),
            }
        })
        .collect();
    let mut edges = Vec::new();
    for (at, step) in plan.steps().iter().enumerate() {
        for need in &step.needs {
            let allows =
                need.allow.iter().any(|allow| matches!(allow, Allow::Skipped | Allow::Failed));
            let style = if allows { EdgeStyle::Allows } else { EdgeStyle::Needs };
            edges.push(Edge { from: need.step, to: at, style });
        }
        for caught in step.catches.iter().copied() {
            edges.push(Edge { from: caught, to: at, style: EdgeStyle::Catches });
        }
    }
    Graph { title: plan.name().to_string(), nodes, edges }
}

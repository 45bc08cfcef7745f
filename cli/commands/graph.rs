//! `oms graph`: a graph of a pipeline.

use std::path::PathBuf;

use oms_engine::pipeline::Allow;
use oms_engine::plan::Plan;
use oms_engine::step::StepKind;

use crate::check;
use crate::exit;
use crate::graph::{self, Edge, EdgeStyle, Graph, Node};
use crate::output;

/// Draw the graph of a pipeline's steps
///
/// Example: oms graph pipelines/storefront.yaml --format svg > storefront.svg
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Pipeline file
    pipeline: PathBuf,
    /// Output format
    #[arg(long, value_enum, default_value = "mermaid")]
    format: Picture,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Picture {
    /// Mermaid flowchart
    Mermaid,
    /// Graphviz DOT
    Dot,
    /// SVG image
    Svg,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let checker = check::checker(kinds)?;
    let Some(plan) = check::plan(&checker, &args.pipeline)? else { return Ok(exit::FINDINGS) };
    let picture = picture(&plan);
    let text = match args.format {
        Picture::Mermaid => graph::mermaid(&picture),
        Picture::Dot => graph::dot(&picture),
        Picture::Svg => graph::svg(&picture),
    };
    output::answer(&text)?;
    Ok(exit::FINE)
}

pub(crate) fn picture(plan: &Plan) -> Graph {
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
                catch: step.catches.is_some(),
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
        if let Some(caught) = step.catches {
            edges.push(Edge { from: caught, to: at, style: EdgeStyle::Catches });
        }
    }
    Graph { title: plan.name().to_string(), nodes, edges }
}

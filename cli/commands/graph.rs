//! `oms graph`: a graph of a pipeline.

use std::path::PathBuf;

use oms_engine::step::StepKind;

use crate::check;
use crate::exit;
use crate::graph;
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
    format: GraphFormat,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum GraphFormat {
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
    let graph = graph::of_plan(&plan);
    let text = match args.format {
        GraphFormat::Mermaid => graph::mermaid(&graph),
        GraphFormat::Dot => graph::dot(&graph),
        GraphFormat::Svg => graph::svg(&graph),
    };
    output::result(&text)?;
    Ok(exit::SUCCESS)
}

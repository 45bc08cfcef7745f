//! `oms schema`: the JSON Schemas of pipeline files and step settings.

use oms_engine::diagnostic::did_you_mean;
use oms_engine::step::StepKind;

use crate::check;
use crate::exit::{self, Usage};
use crate::output;

/// Write the JSON Schema of the pipeline file or of a step kind's settings
///
/// Editors use it for completion and validation.
///
/// Example: oms schema > pipeline.schema.json
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// `pipeline`, or a step kind such as `money.convert`
    #[arg(default_value = "pipeline")]
    name: String,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let checker = check::checker(kinds)?;
    let schema = if args.name == "pipeline" {
        checker.schema().clone()
    } else if let Some(kind) = checker.registry().get(&args.name) {
        kind.config_schema()
    } else {
        let known = checker.registry().kinds().map(StepKind::name).chain(["pipeline"]);
        let known: Vec<&str> = known.collect();
        let help = did_you_mean(&args.name, known.iter().copied()).unwrap_or_default();
        return Err(Usage(format!("unknown schema `{}`; {help}", args.name)).into());
    };
    output::result(&format!("{}\n", serde_json::to_string_pretty(&schema)?))?;
    Ok(exit::SUCCESS)
}

//! `oms steps`: the step kinds and their pages.

use oms_engine::diagnostic::did_you_mean;
use oms_engine::step::StepKind;

use crate::exit::{self, Usage};
use crate::output;
use crate::render;

/// List the step kinds, or describe a step kind
///
/// Example: oms steps money.convert
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Step kind
    kind: Option<String>,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Some(name) = args.kind else {
        let rows: Vec<Vec<String>> =
            kinds.iter().map(|kind| vec![kind.name().to_owned(), kind.summary()]).collect();
        output::result(&render::table(&rows))?;
        return Ok(exit::SUCCESS);
    };
    let Some(kind) = kinds.iter().find(|kind| kind.name() == name) else {
        let help = did_you_mean(&name, kinds.iter().map(StepKind::name)).unwrap_or_default();
        return Err(Usage(format!("unknown step kind `{name}`; {help}")).into());
    };
    output::result(&render::kind_page(kind))?;
    Ok(exit::SUCCESS)
}

//! `oms objects get`: writes an object to standard output.

use anyhow::Context as _;
use oms_engine::step::StepKind;
use oms_sqlite::ObjectRow;

use crate::exit::{self, Usage};
use crate::output;
use crate::targets::state::StateArgs;

/// Write an object to standard output, unchanged
///
/// Example: oms objects get pipelines/storefront.yaml orders/NW-10248.json
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target } = args;
    let found = target.find()?;
    let Some((bucket, key)) = found.arguments.first().and_then(|word| word.split_once('/')) else {
        return Err(Usage(
            "specify the object as `bucket/key`; `oms objects list` lists the objects".to_owned(),
        )
        .into());
    };
    let reading = found.read(kinds)?;
    let content = ObjectRow::content(&reading.reader, bucket, key)?.with_context(|| {
        format!(
            "the object `{bucket}/{key}` does not exist; `oms objects list {}` lists the objects",
            found.shown()
        )
    })?;
    output::result_bytes(&content)?;
    Ok(exit::SUCCESS)
}

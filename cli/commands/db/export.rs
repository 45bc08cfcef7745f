//! `oms db export`: writes the rows of a table.

use oms_engine::step::StepKind;
use oms_sqlite::export_rows;

use crate::exit;
use crate::output;
use crate::targets::state::StateArgs;

/// Write the rows of a table to standard output as NDJSON, sorted by key
///
/// The output contains personal data.
///
/// Example: oms db export pipelines/storefront.yaml billing_data
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target } = args;
    let found = target.find()?;
    let reading = found.read(kinds)?;
    let table = super::table(reading.plan()?.as_ref(), found.arguments.first())?;
    let mut lines = String::new();
    let mut failure = None;
    export_rows(&reading.reader, &table, |line| {
        const CHUNK: usize = 1 << 16;
        lines.push_str(line);
        lines.push('\n');
        if lines.len() > CHUNK && failure.is_none() {
            failure = output::result(&lines).err();
            lines.clear();
        }
        Ok(())
    })?;
    match failure {
        Some(error) => Err(error),
        None => {
            output::result(&lines)?;
            Ok(exit::SUCCESS)
        }
    }
}

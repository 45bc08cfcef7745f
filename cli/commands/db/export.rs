//! `oms db export`: writes the rows of a table.

use anyhow::Context as _;
use oms_engine::step::StepKind;
use oms_engine::value::write_json;
use oms_sql::Database;
use oms_sqlite::export_rows;

use crate::check;
use crate::exit;
use crate::output;
use crate::runtime;
use crate::targets::effect_target::TargetOption;
use crate::targets::state::{ResolvedState, StateArgs, current_plan};

/// Write the rows of a table to standard output as NDJSON, sorted by key
///
/// The output contains personal data. With `--target`, the database of the target sorts the rows,
/// and rows that change during the export may be missing or occur in their new version.
///
/// Example: oms db export pipelines/storefront.yaml billing_data
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    #[command(flatten)]
    effects: TargetOption,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, effects } = args;
    let found = target.find()?;
    if let Some(database) = effects.database()? {
        return export_from(&*database, &effects, &found, kinds);
    }
    let reading = found.read(kinds)?;
    let table = super::table(reading.plan()?.as_ref(), found.arguments.first())?;
    let mut lines = Lines::default();
    let mut failure = None;
    export_rows(&reading.reader, &table, |line| {
        if failure.is_none() {
            failure = lines.add(line).err();
        }
        Ok(())
    })?;
    match failure {
        Some(error) => Err(error),
        None => lines.end(),
    }
}

/// Exports a table of another database.
fn export_from(
    database: &dyn Database,
    effects: &TargetOption,
    found: &ResolvedState,
    kinds: &[StepKind],
) -> anyhow::Result<u8> {
    let checker = check::checker_for(kinds, effects.target())?;
    let Some((_, plan)) = current_plan(&checker, found)? else { return Ok(exit::FINDINGS) };
    let table = super::table(&plan, found.arguments.first())?;
    let mut lines = Lines::default();
    let export = oms_sql::export(database, &table, |row| lines.add(&write_json(row)));
    let exported = runtime::current_thread()?.block_on(export);
    exported.with_context(|| format!("cannot export `{}`", table.name))?;
    lines.end()
}

/// Lines that are written in chunks.
#[derive(Default)]
struct Lines(String);

impl Lines {
    fn add(&mut self, line: &str) -> anyhow::Result<()> {
        const CHUNK: usize = 1 << 16;
        self.0.push_str(line);
        self.0.push('\n');
        if self.0.len() > CHUNK {
            output::result(&std::mem::take(&mut self.0))?;
        }
        Ok(())
    }

    fn end(self) -> anyhow::Result<u8> {
        output::result(&self.0)?;
        Ok(exit::SUCCESS)
    }
}

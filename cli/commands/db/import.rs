//! `oms db import`: imports rows into a table.

use anyhow::Context as _;
use oms_engine::plan::{RowError, read_rows};
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_runtime::control::Request;
use oms_sqlite::{Database, import_rows};

use crate::check;
use crate::exit::{self, Usage};
use crate::output;
use crate::targets::effect_target::TargetOption;
use crate::targets::operation::in_server_or_here;
use crate::targets::state::{StateArgs, current_plan};

/// Import rows from an NDJSON file into a table, replacing rows with the same key
///
/// In a state directory, a file is imported completely or not at all.
///
/// Example: oms db import pipelines/storefront.yaml customer_contact_info customers.ndjson
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    #[command(flatten)]
    effects: TargetOption,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, effects } = args;
    let found = target.find_for_current_plan()?;
    let checker = check::checker(kinds)?;
    let Some((_, plan)) = current_plan(&checker, &found)? else { return Ok(exit::FINDINGS) };
    let table = super::table(&plan, found.arguments.first())?;
    let Some(path) = found.arguments.get(1) else {
        return Err(
            Usage("specify the file with the rows, or `-` for standard input".to_owned()).into()
        );
    };
    let text = if path == "-" {
        std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))?
    };
    let rows = match read_rows(&table, &text) {
        Ok(rows) => rows,
        Err(RowError { line, column, message }) => {
            output::message(&format!("{path}:{line}:{column}: {message}"));
            output::message("nothing was imported");
            return Ok(exit::FINDINGS);
        }
    };
    match effects.external()? {
        Some(external) => external.import(&plan, &table, &rows)?,
        None => {
            let request = Request::Import { table: table.name.to_string(), rows: text };
            in_server_or_here(
                &found.directory,
                &request,
                |_| Some(()),
                || Ok(import_rows(&Database::own(&found.directory)?, &table, &rows)?),
            )?;
        }
    }
    let count = rows.len() as u64;
    output::message(&format!("{} imported into {}", format_quantity(count, "row"), table.name));
    Ok(exit::SUCCESS)
}

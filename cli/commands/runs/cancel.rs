//! `oms runs cancel`: cancels waiting and parked runs.

use anyhow::Context as _;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_sqlite::RunRow;
use serde_json::json;

use crate::check;
use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::target::effect_target::WorldOption;
use crate::target::email_destination::MailOption;
use crate::target::operation::{Deed, Here, operate};
use crate::target::state::{Target, current_plan};

/// Cancel waiting and parked runs
///
/// Completed steps stay completed, and no further step runs. The key of the order cannot be used again. Works while a server runs.
/// Example: oms runs cancel pipelines/storefront.yaml NW-10248
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    #[command(flatten)]
    mail: MailOption,
    #[command(flatten)]
    world: WorldOption,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, mail, world, format } = args;
    let found = &target.find()?.with_each_word_once();
    if found.words.is_empty() {
        return Err(Usage("specify the keys of the orders to cancel".to_owned()).into());
    }
    let checker = check::checker(kinds)?;
    let Some((pipeline, plan)) = current_plan(&checker, found)? else { return Ok(exit::FINDINGS) };
    let rows = {
        let reading = found.read(kinds)?;
        let mut rows = Vec::new();
        for key in &found.words {
            let row = RunRow::find(&reading.reader, key)?;
            rows.push(row.with_context(|| format!("there is no run `{key}`"))?);
        }
        rows
    };
    let here = Here { checker: &checker, pipeline, plan, mail, outside: world.outside()? };
    let done = operate(Deed::Cancel, found, &rows, here)?;
    let cancelled = done.iter().filter(|done| done.refused.is_none());
    let cancelled = cancelled.filter(|done| done.state == RunState::Cancelled).count() as u64;
    let refused = done.len() as u64 - cancelled;
    match format {
        Format::Json => output::json(
            &json!({ "format_version": 1, "cancelled": cancelled, "refused": refused }),
        )?,
        Format::Human => {
            output::answer(&format!("{} cancelled\n", format_quantity(cancelled, "run")))?;
        }
    }
    Ok(if refused > 0 { exit::FINDINGS } else { exit::FINE })
}

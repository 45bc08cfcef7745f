//! `oms runs cancel`: cancels waiting and parked runs.

use anyhow::Context as _;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_sqlite::RunRow;
use serde_json::json;

use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::targets::effect_target::TargetOption;
use crate::targets::email_destination::MailOption;
use crate::targets::operation::{LocalContext, Operation, operate};
use crate::targets::state::{ResolvedState, StateArgs};

/// Cancel waiting and parked runs
///
/// Completed steps stay completed, and no further step runs. The key of the order cannot be used
/// again. Works while a server runs.
///
/// With `--target lambda`, a handler that is processing the order finishes its steps. An order can
/// be cancelled one minute after it was accepted.
///
/// Example: oms runs cancel pipelines/storefront.yaml NW-10248
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    #[command(flatten)]
    mail: MailOption,
    #[command(flatten)]
    effects: TargetOption,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, mail, effects, format } = args;
    let found = &target.find_for_current_plan()?.without_duplicates();
    if found.arguments.is_empty() {
        return Err(Usage("specify the keys of the orders to cancel".to_owned()).into());
    }
    let (cancelled, refused) = match effects.stack(mail)? {
        Some(place) => {
            let Some(stack) = place.open(found, kinds)? else { return Ok(exit::FINDINGS) };
            stack.cancel(&found.arguments)?
        }
        None => {
            let Some(counts) = cancel_here(found, mail, &effects, kinds)? else {
                return Ok(exit::FINDINGS);
            };
            counts
        }
    };
    match format {
        Format::Json => output::json(
            &json!({ "format_version": 1, "cancelled": cancelled, "refused": refused }),
        )?,
        Format::Human => {
            output::result(&format!("{} cancelled\n", format_quantity(cancelled, "run")))?;
        }
    }
    Ok(if refused > 0 { exit::FINDINGS } else { exit::SUCCESS })
}

/// Cancels runs of a state directory. Returns the numbers of runs that were cancelled and of those
/// that were not; `None` if the pipeline has findings, which were printed.
fn cancel_here(
    found: &ResolvedState,
    mail: MailOption,
    effects: &TargetOption,
    kinds: &[StepKind],
) -> anyhow::Result<Option<(u64, u64)>> {
    let Some(context) = LocalContext::new(found, mail, effects, kinds)? else {
        return Ok(None);
    };
    let rows = {
        let reading = found.read(kinds)?;
        let mut rows = Vec::new();
        for key in &found.arguments {
            let row = RunRow::find(&reading.reader, key)?;
            rows.push(row.with_context(|| format!("the run `{key}` does not exist"))?);
        }
        rows
    };
    let done = operate(Operation::Cancel, &found.directory, &rows, context)?;
    let cancelled = done.iter().filter(|done| done.refused.is_none());
    let cancelled = cancelled.filter(|done| done.state == RunState::Cancelled).count() as u64;
    Ok(Some((cancelled, done.len() as u64 - cancelled)))
}

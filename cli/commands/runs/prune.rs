//! `oms runs prune`: deletes old runs.

use anyhow::Context as _;
use jiff::Span;
use jiff::tz::TimeZone;
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_runtime::control::{Request, Response};
use serde_json::json;

use crate::exit;
use crate::output::{self, Format};
use crate::runtime;
use crate::targets::effect_target::TargetOption;
use crate::targets::email_destination::MailOption;
use crate::targets::operation::{LocalContext, in_server_or_here};
use crate::targets::state::StateArgs;

/// Delete old completed and cancelled runs with their orders, journals, objects and e-mails
///
/// Keeps the rows of the pipeline's tables. Also keeps the keys, so that the same order is still
/// recognized as a duplicate. Works while a server runs. Use `oms db backup` to keep a copy.
///
/// With `--target lambda`, deletes the notes of the handlers on such orders. The stored orders, and
/// the records that prevent a repeated effect, are kept.
///
/// Example: oms runs prune pipelines/storefront.yaml --older-than 90d
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    /// Minimum time since the end of a run, such as `90d`, `12w` or `1y`
    #[arg(long, value_name = "TIME", value_parser = span)]
    older_than: Span,
    #[command(flatten)]
    mail: MailOption,
    #[command(flatten)]
    effects: TargetOption,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn span(text: &str) -> Result<Span, String> {
    let span = text.parse::<Span>().ok().filter(|span| span.is_positive());
    span.ok_or_else(|| "expected a positive duration, such as `90d`".to_owned())
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, older_than, mail, effects, format } = args;
    let found = target.find_for_current_plan()?;
    let now = SystemClock.now().to_zoned(TimeZone::UTC);
    let before = now.checked_sub(older_than).context("the duration is too long")?.timestamp();
    if let Some(place) = effects.stack(mail)? {
        let Some(stack) = place.open(&found, kinds)? else { return Ok(exit::FINDINGS) };
        return report(stack.prune(before)?, "the notes on ", "order", format);
    }
    let request = Request::Prune { before: before.as_millisecond() };
    let accept = |response| match response {
        Response::Pruned(count) => Some(Some(count)),
        _ => None,
    };
    let pruned = in_server_or_here(&found.directory, &request, accept, || {
        let Some(context) = LocalContext::new(&found, mail, &effects, kinds)? else {
            return Ok(None);
        };
        let runner = context.open(&found.directory)?;
        let pruned = runtime::current_thread()?.block_on(runner.prune(before, true));
        runner.close()?;
        Ok(Some(pruned?))
    })?;
    match pruned {
        Some(pruned) => report(pruned, "", "run", format),
        None => Ok(exit::FINDINGS),
    }
}

fn report(pruned: u64, what: &str, unit: &str, format: Format) -> anyhow::Result<u8> {
    match format {
        Format::Json => output::json(&json!({ "format_version": 1, "pruned": pruned }))?,
        Format::Human => {
            output::result(&format!("deleted {what}{}\n", format_quantity(pruned, unit)))?;
        }
    }
    Ok(exit::SUCCESS)
}

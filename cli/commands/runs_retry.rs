//! `oms runs retry`: parked runs go on where they failed.

use anyhow::Context as _;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_local::RunRow;
use serde_json::json;

use crate::check;
use crate::commands::Format;
use crate::exit::{self, Usage};
use crate::mailing::MailOption;
use crate::operate::{Deed, Here, operate};
use crate::output;
use crate::stack::{Again, Asked};
use crate::state::{Found, Reading, Target, current_plan};
use crate::world::WorldOption;

/// Try parked runs again, on the pipeline as it is now; steps that were done stay done
///
/// Example: oms runs retry pipelines/storefront.yaml --cause no_rate
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// All parked runs
    #[arg(long, conflicts_with = "cause")]
    all: bool,
    /// All parked runs with this cause
    #[arg(long)]
    cause: Option<String>,
    /// What you found out about mails of which it was not known whether they were sent: `sent` takes them as sent, `resend` sends them
    /// again. Without it such runs are left as they are
    #[arg(long, value_enum)]
    held: Option<Held>,
    #[command(flatten)]
    mail: MailOption,
    #[command(flatten)]
    world: WorldOption,
    /// How the outcome is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What a person found out.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Held {
    /// It was done
    Sent,
    /// It was not done, or may be done twice
    Resend,
}

impl From<Held> for oms_local::Held {
    fn from(held: Held) -> Self {
        match held {
            Held::Sent => Self::Sent,
            Held::Resend => Self::Resend,
        }
    }
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, all, cause, held, mail, world, format } = args;
    let found = &target.find()?;
    if !all && cause.is_none() && found.words.is_empty() {
        return Err(Usage("say what to retry: keys, --cause or --all".to_owned()).into());
    }
    if let Some(stack) = world.stack() {
        let sent = held.map(|held| matches!(held, Held::Sent));
        let again = Again { keys: &found.words, cause: cause.as_deref(), sent };
        let answered = stack.asked(&Asked::Retry(again), found, format, kinds)?;
        return Ok(answered.unwrap_or(exit::FINE));
    }
    let checker = check::checker(kinds)?;
    let Some((pipeline, plan)) = current_plan(&checker, found)? else { return Ok(exit::FINDINGS) };
    let rows = {
        let reading = found.read(kinds)?;
        chosen(&reading, found, cause.as_deref())?
    };
    let here = Here { checker: &checker, pipeline, plan, mail, outside: world.outside()? };
    let done = operate(Deed::Retry(held.map(Into::into)), found, &rows, here)?;
    let count = |state| done.iter().filter(|done| done.state == state).count() as u64;
    let (completed, parked) = (count(RunState::Completed), count(RunState::Parked));
    let (retried, cancelled) = (done.len() as u64, count(RunState::Cancelled));
    let waiting = retried - completed - parked - cancelled;
    match format {
        Format::Json => output::json(&json!({
            "format_version": 1, "retried": retried, "completed": completed, "parked": parked, "waiting": waiting,
        }))?,
        Format::Human => output::answer(&format!(
            "{} retried: {completed} completed, {parked} parked, {waiting} waiting\n",
            output::counted(retried, "run"),
        ))?,
    }
    Ok(if parked > 0 { exit::FINDINGS } else { exit::FINE })
}

/// Returns the parked runs that are meant.
fn chosen(reading: &Reading, found: &Found, cause: Option<&str>) -> anyhow::Result<Vec<RunRow>> {
    if found.words.is_empty() {
        return Ok(RunRow::list(&reading.connection, Some(RunState::Parked), cause, u32::MAX)?);
    }
    let mut rows = Vec::new();
    for key in &found.words {
        let row = RunRow::find(&reading.connection, key)?
            .with_context(|| format!("there is no run `{key}`"))?;
        anyhow::ensure!(
            row.state == RunState::Parked,
            "the run `{key}` is {}, and only parked runs are retried",
            row.state.as_str()
        );
        rows.push(row);
    }
    Ok(rows)
}

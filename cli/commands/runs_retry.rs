//! `oms runs retry`: runs go on where they failed, or where they wait.

use std::collections::BTreeMap;

use anyhow::Context as _;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_runtime::control::Done;
use oms_sqlite::RunRow;
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
/// With keys, also runs that wait for their next attempt, which begins now, and completed runs whose failure was caught: the failed steps
/// and what depends on them run again, and the catch step does not.
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

impl From<Held> for oms_runtime::Held {
    fn from(held: Held) -> Self {
        match held {
            Held::Sent => Self::Sent,
            Held::Resend => Self::Resend,
        }
    }
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, all, cause, held, mail, world, format } = args;
    let found = &target.find()?.with_each_word_once();
    if !found.words.is_empty() && (all || cause.is_some()) {
        let message = "name keys, or give `--all` or `--cause`, but not both";
        return Err(Usage(message.to_owned()).into());
    }
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
    answer(&done, format)?;
    let failed = |done: &Done| done.refused.is_some() || done.state == RunState::Parked;
    Ok(if done.iter().any(failed) { exit::FINDINGS } else { exit::FINE })
}

/// Writes what became of the runs: counts, and the causes of those that are parked again or whose failure was caught again.
fn answer(done: &[Done], format: Format) -> anyhow::Result<()> {
    let tried = || done.iter().filter(|done| done.refused.is_none());
    let count = |state| tried().filter(|done| done.state == state).count() as u64;
    let (completed, parked) = (count(RunState::Completed), count(RunState::Parked));
    let (retried, cancelled) = (tried().count() as u64, count(RunState::Cancelled));
    let waiting = retried - completed - parked - cancelled;
    let refused = done.len() as u64 - retried;
    let parked_by = causes(tried().filter(|done| done.state == RunState::Parked));
    let caught_by = causes(tried().filter(|done| done.state == RunState::Completed));
    match format {
        Format::Json => output::json(&json!({
            "format_version": 1, "retried": retried, "completed": completed, "parked": parked, "waiting": waiting, "refused": refused,
            "causes": parked_by, "caught_causes": caught_by,
        })),
        Format::Human => {
            let (retried, caught) = (output::counted(retried, "run"), among(&caught_by));
            let (parked_by, mut text) = (among(&parked_by), String::new());
            text.push_str(&format!("{retried} retried: {completed} completed"));
            if !caught.is_empty() {
                text.push_str(&format!(" (caught again: {caught})"));
            }
            text.push_str(&format!(", {parked} parked"));
            if !parked_by.is_empty() {
                text.push_str(&format!(" again ({parked_by})"));
            }
            text.push_str(&format!(", {waiting} waiting"));
            if refused > 0 {
                text.push_str(&format!("; {refused} not retried"));
            }
            text.push('\n');
            output::answer(&text)
        }
    }
}

/// Counts runs by cause.
fn causes<'a>(done: impl Iterator<Item = &'a Done>) -> BTreeMap<&'a str, u64> {
    let mut counts = BTreeMap::new();
    for cause in done.filter_map(|done| done.cause.as_deref()).flat_map(|cause| cause.split(',')) {
        *counts.entry(cause).or_default() += 1;
    }
    counts
}

/// Writes causes with their counts, which are left out where they are 1.
fn among(causes: &BTreeMap<&str, u64>) -> String {
    let one = |(cause, count): (&&str, &u64)| match count {
        1 => (*cause).to_owned(),
        count => format!("{cause}: {}", output::grouped(*count)),
    };
    causes.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Returns the runs that are meant: those with the named keys, or else the parked ones.
fn chosen(reading: &Reading, found: &Found, cause: Option<&str>) -> anyhow::Result<Vec<RunRow>> {
    if found.words.is_empty() {
        let rows = RunRow::list(&reading.reader, Some(RunState::Parked), cause, u32::MAX)?;
        let caught = match cause {
            Some(_) if rows.is_empty() => RunRow::count_caught(&reading.reader, cause)?,
            _ => 0,
        };
        if caught > 0 {
            output::say(&format!(
                "{caught} completed with this cause caught; name their keys to retry them"
            ));
        }
        return Ok(rows);
    }
    let mut rows = Vec::new();
    for key in &found.words {
        let row = RunRow::find(&reading.reader, key)?
            .with_context(|| format!("there is no run `{key}`"))?;
        anyhow::ensure!(
            row.can_be_retried(),
            "the run `{key}` is {}; only runs that are parked, waiting or completed with a caught failure can be retried",
            row.state.as_str()
        );
        rows.push(row);
    }
    Ok(rows)
}

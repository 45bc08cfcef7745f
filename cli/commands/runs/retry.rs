//! `oms runs retry`: continues runs where they failed or wait.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_engine::value::{format_count, format_quantity};
use oms_runtime::control::Done;
use oms_sqlite::RunRow;
use serde_json::json;

use crate::commands::runs::answers;
use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::targets::effect_target::TargetOption;
use crate::targets::email_destination::MailOption;
use crate::targets::operation::{LocalContext, Operation, operate};
use crate::targets::stack::RetrySelection;
use crate::targets::state::{ResolvedState, StateArgs, StateReader};

/// Retry parked runs with the current pipeline file
///
/// Completed steps do not run again. With keys, also retries waiting runs and completed runs with a
/// caught failure. The next attempt of a waiting run starts now. In a completed run, the failed
/// steps and the steps that depend on them run again, but not the catch step.
///
/// Example: oms runs retry pipelines/storefront.yaml --cause no_rate
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    /// Retry all parked runs
    #[arg(long, conflicts_with = "cause")]
    all: bool,
    /// Retry all parked runs with this cause
    #[arg(long)]
    cause: Option<String>,
    /// Decision about steps with an unknown outcome, such as e-mails that may have been sent
    ///
    /// Without it, runs with such steps stay held.
    #[arg(long, value_enum)]
    held: Option<HeldDecision>,
    /// File with the answers of services, for `--held answered`
    ///
    /// The file is JSON: `{ "status": 201, "body": { … } }`, or a list of such answers, each with
    /// the `step` and, in a step with `for_each`, the `element`.
    #[arg(long, value_name = "FILE", requires = "held")]
    answer: Option<PathBuf>,
    #[command(flatten)]
    mail: MailOption,
    #[command(flatten)]
    effects: TargetOption,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// The decision about an unknown outcome.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum HeldDecision {
    /// Mark the e-mail as sent
    Sent,
    /// Run the step again, which sends its e-mail or its request again
    Resend,
    /// Use the answers in the file of `--answer`, and send nothing
    Answered,
}

impl HeldDecision {
    /// Returns the decision, with the answers in a file.
    fn with_answers(self, file: Option<&Path>) -> anyhow::Result<oms_runtime::HeldDecision> {
        match (self, file) {
            (Self::Answered, Some(file)) => {
                Ok(oms_runtime::HeldDecision::Answered(answers::read(file)?))
            }
            (Self::Answered, None) => {
                let message = "`--held answered` requires `--answer FILE`";
                Err(Usage(message.to_owned()).into())
            }
            (_, Some(_)) => {
                let message = "`--answer` requires `--held answered`";
                Err(Usage(message.to_owned()).into())
            }
            (Self::Sent, None) => Ok(oms_runtime::HeldDecision::Sent),
            (Self::Resend, None) => Ok(oms_runtime::HeldDecision::Resend),
        }
    }
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, all, cause, held, answer, mail, effects, format } = args;
    let found = &target.find_for_current_plan()?.without_duplicates();
    if !found.arguments.is_empty() && (all || cause.is_some()) {
        let message = "keys cannot be combined with `--all` or `--cause`";
        return Err(Usage(message.to_owned()).into());
    }
    if !all && cause.is_none() && found.arguments.is_empty() {
        return Err(
            Usage("specify the runs to retry: keys, `--cause` or `--all`".to_owned()).into()
        );
    }
    let decision = held.map(|held| held.with_answers(answer.as_deref())).transpose()?;
    if let Some(place) = effects.stack(mail)? {
        if matches!(held, Some(HeldDecision::Answered)) {
            let message = "`--held answered` is not available with `--target lambda`, because handlers call no services";
            return Err(Usage(message.to_owned()).into());
        }
        let Some(stack) = place.open(found, kinds)? else { return Ok(exit::FINDINGS) };
        let sent = held.map(|held| matches!(held, HeldDecision::Sent));
        let again = RetrySelection { keys: &found.arguments, cause: cause.as_deref(), sent };
        return stack.retry(&again, format);
    }
    let Some(context) = LocalContext::new(found, mail, &effects, kinds)? else {
        return Ok(exit::FINDINGS);
    };
    let rows = {
        let reading = found.read(kinds)?;
        selected(&reading, found, cause.as_deref())?
    };
    let done = operate(Operation::Retry(decision), &found.directory, &rows, context)?;
    report(&done, format)?;
    let failed = |done: &Done| done.refused.is_some() || done.state == RunState::Parked;
    Ok(if done.iter().any(failed) { exit::FINDINGS } else { exit::SUCCESS })
}

/// Writes the outcome: counts, and the causes of the runs that are parked again or whose failure
/// was caught again.
fn report(done: &[Done], format: Format) -> anyhow::Result<()> {
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
            let (retried, caught) = (format_quantity(retried, "run"), causes_text(&caught_by));
            let (parked_by, mut text) = (causes_text(&parked_by), String::new());
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
            output::result(&text)
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

/// Returns causes with their counts. A count of 1 is omitted.
fn causes_text(causes: &BTreeMap<&str, u64>) -> String {
    let one = |(cause, count): (&&str, &u64)| match count {
        1 => (*cause).to_owned(),
        count => format!("{cause}: {}", format_count(*count)),
    };
    causes.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Returns the selected runs: those with the given keys, or else the parked ones.
fn selected(
    reading: &StateReader,
    found: &ResolvedState,
    cause: Option<&str>,
) -> anyhow::Result<Vec<RunRow>> {
    if found.arguments.is_empty() {
        let rows = RunRow::list(&reading.reader, Some(RunState::Parked), cause, u32::MAX)?;
        let caught = match cause {
            Some(_) if rows.is_empty() => RunRow::count_caught(&reading.reader, cause)?,
            _ => 0,
        };
        if caught > 0 {
            output::message(&format!(
                "completed runs with a caught failure with this cause: {caught}; to retry them, specify their keys"
            ));
        }
        return Ok(rows);
    }
    let mut rows = Vec::new();
    for key in &found.arguments {
        let row = RunRow::find(&reading.reader, key)?
            .with_context(|| format!("the run `{key}` does not exist"))?;
        anyhow::ensure!(
            row.can_be_retried(),
            "the run `{key}` is {}; only runs that are parked, waiting or completed with a caught failure can be retried",
            row.state.as_str()
        );
        rows.push(row);
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_counted_and_sorted() {
        let done = |cause: Option<&str>| Done {
            key: "a".to_owned(),
            state: RunState::Parked,
            cause: cause.map(str::to_owned),
            caught: 0,
            refused: None,
        };
        let done = [done(Some("no_row,no_rate")), done(Some("no_row")), done(None)];
        let counts = causes(done.iter());
        assert_eq!(causes_text(&counts), "no_rate, no_row: 2");
        assert_eq!(causes_text(&BTreeMap::new()), "");
    }
}

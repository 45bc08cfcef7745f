//! `oms runs`: list, show, retry, cancel and prune runs.

mod cancel;
mod prune;
mod retry;

use anyhow::Context as _;
use clap::Subcommand;
use oms_engine::effects::cause::UNKNOWN_OUTCOME;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_engine::value::format_timestamp;
use oms_runtime::{HeldMail, Shown, held_mails};
use oms_sql::Wanted;
use oms_sqlite::{RunRow, StoredRun};
use serde_json::{Value as Json, json};

use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::render;
use crate::target::stack::{Asked, StackOption};
use crate::target::state::{Found, Reading, Target};

/// List, show, retry, cancel or prune runs
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// List runs in the order of acceptance
    ///
    /// Example: oms runs list pipelines/storefront.yaml --state parked
    List {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        stack: StackOption,
        /// Only runs in this state
        #[arg(long, value_parser = state_of)]
        state: Option<RunState>,
        /// Only runs with this cause: parked runs, and completed runs with a caught failure
        #[arg(long)]
        cause: Option<String>,
        /// Maximum number of runs to list
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show the steps of a run, with masked personal data
    ///
    /// Example: oms runs show pipelines/storefront.yaml NW-10248
    Show {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        stack: StackOption,
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    Retry(retry::Args),
    Cancel(cancel::Args),
    Prune(prune::Args),
}

fn state_of(name: &str) -> Result<RunState, String> {
    RunState::parse(name).ok_or_else(|| {
        let names: Vec<&str> = RunState::ALL.iter().map(|state| state.as_str()).collect();
        format!("one of {}", names.join(", "))
    })
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::List { target, stack, state, cause, limit, format } => {
            let found = target.find()?;
            let cause_wanted = cause.as_deref();
            let wanted = Wanted { state, cause: cause_wanted, limit, ..Wanted::default() };
            if let Some(code) = stack.asked(&Asked::List(wanted), &found, format, kinds)? {
                return Ok(code);
            }
            list(&found.read(kinds)?, state, cause.as_deref(), limit, format)
        }
        Command::Show { target, stack, format } => {
            let found = target.find()?;
            let asked = Asked::Show(key(&found)?);
            match stack.asked(&asked, &found, format, kinds)? {
                Some(code) => Ok(code),
                None => show(&found, format, kinds),
            }
        }
        Command::Retry(args) => retry::run(args, kinds),
        Command::Cancel(args) => cancel::run(args, kinds),
        Command::Prune(args) => prune::run(args, kinds),
    }
}

fn list(
    reading: &Reading,
    state: Option<RunState>,
    cause: Option<&str>,
    limit: u32,
    format: Format,
) -> anyhow::Result<u8> {
    let runs = RunRow::list(&reading.reader, state, cause, limit)?;
    match format {
        Format::Json => {
            let runs: Vec<Json> = runs.iter().map(listed).collect();
            let counts = RunRow::count(&reading.reader)?;
            let all: serde_json::Map<_, _> = counts
                .into_iter()
                .map(|(state, count)| (state.as_str().to_owned(), json!(count)))
                .collect();
            output::json(&json!({ "format_version": 1, "runs": runs, "all": all }))?;
        }
        Format::Human => {
            let rows: Vec<Vec<String>> = runs
                .iter()
                .map(|run| {
                    vec![
                        run.key.clone(),
                        run.state.as_str().to_owned(),
                        format!("{:.0}", run.accepted_at),
                        note(run),
                    ]
                })
                .collect();
            output::answer(&render::table(&rows))?;
            let caught = match RunRow::count_caught(&reading.reader, None)? {
                0 => String::new(),
                caught => format!(" ({caught} with a caught failure)"),
            };
            let counts: Vec<String> = RunRow::count(&reading.reader)?
                .iter()
                .map(|(state, count)| match state {
                    RunState::Completed => format!("{count} completed{caught}"),
                    state => format!("{count} {}", state.as_str()),
                })
                .collect();
            output::say(&format!(
                "total: {}",
                if counts.is_empty() { "no runs".to_owned() } else { counts.join(", ") }
            ));
        }
    }
    Ok(exit::FINE)
}

fn listed(run: &RunRow) -> Json {
    json!({
        "key": run.key,
        "state": run.state,
        "accepted_at": format_timestamp(run.accepted_at),
        "updated_at": format_timestamp(run.updated_at),
        "wait_until": run.wait_until.map(format_timestamp),
        "cause": run.cause,
        "caught": run.caught,
    })
}

/// Returns why a run is parked, the time of its next attempt, or the failures that were caught in it.
fn note(run: &RunRow) -> String {
    let cause = run.cause.as_deref().unwrap_or_default();
    match (run.state, run.wait_until) {
        (RunState::Waiting, Some(until)) => format!("next attempt at {until:.0}"),
        (RunState::Completed, _) if run.caught > 0 => format!("caught: {} ({cause})", run.caught),
        _ => cause.to_owned(),
    }
}

fn key(found: &Found) -> anyhow::Result<&str> {
    found.words.first().map(String::as_str).ok_or_else(|| {
        Usage("specify the key of the order; `oms runs list` lists the keys".to_owned()).into()
    })
}

fn show(found: &Found, format: Format, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let key = key(found)?;
    let reading = found.read(kinds)?;
    let row = RunRow::find(&reading.reader, key)?.with_context(|| {
        format!("there is no run `{key}`; `oms runs list {}` lists the runs", found.shown())
    })?;
    let stored = StoredRun::load(&reading.reader, row.id)?;
    let plan = reading.bundles.plan(&reading.reader, row.bundle)?;
    let steps = oms_runtime::steps(&stored, &plan, Shown::Masked)?;
    let is_held = row.cause.as_deref().is_some_and(|causes| causes.contains(UNKNOWN_OUTCOME));
    let held = if is_held { held_mails(&stored, &plan, Shown::Masked)? } else { Vec::new() };
    match format {
        Format::Json => {
            let mut shown = listed(&row);
            shown["format_version"] = json!(1);
            shown["steps"] = Json::Array(steps);
            if !held.is_empty() {
                let held = held.iter().map(|held| {
                    json!({ "step": &*held.step, "element": held.element, "message_id": held.message_id })
                });
                shown["held_mails"] = held.collect();
            }
            output::json(&shown)?;
        }
        Format::Human => output::answer(&page(&row, &steps, &held))?,
    }
    Ok(exit::FINE)
}

fn page(row: &RunRow, steps: &[Json], held: &[HeldMail]) -> String {
    let mut text = format!("{}  {}", row.key, row.state.as_str());
    let note = note(row);
    if !note.is_empty() {
        text.push_str(&format!(" ({note})"));
    }
    let (accepted, updated) = (format_timestamp(row.accepted_at), format_timestamp(row.updated_at));
    text.push_str(&format!("\naccepted {accepted}, last changed {updated}\n"));
    for step in steps {
        let word = |key: &str| step[key].as_str().unwrap_or_default().to_owned();
        text.push_str(&format!("\n{}  {}\n", word("id"), word("kind")));
        if !step["input"].is_null() {
            text.push_str(&format!("  input    {}\n", shortened(&step["input"])));
        }
        let events = step["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        if events.is_empty() {
            text.push_str("  not started\n");
        }
        for event in events {
            text.push_str(&format!("  {}\n", happened(event)));
        }
    }
    if !held.is_empty() {
        text.push_str("\nIt is unknown whether these e-mails were sent. Search the mail server for their Message-IDs:\n");
    }
    for HeldMail { step, element, message_id, .. } in held {
        let element = element.map(|at| format!(" element {at}")).unwrap_or_default();
        text.push_str(&format!("  {step}{element}  <{message_id}>\n"));
    }
    text
}

fn happened(event: &Json) -> String {
    let mut text = event["state"].as_str().unwrap_or_default().replace('_', " ");
    if let Some(element) = event["element"].as_u64() {
        text.push_str(&format!(" element {element}"));
    }
    if let Some(attempt) = event["attempt"].as_u64().filter(|attempt| *attempt > 1) {
        text.push_str(&format!(" attempt {attempt}"));
    }
    if let Some(micros) = event["micros"].as_u64() {
        text.push_str(&format!(" in {micros} µs"));
    }
    if let Some(message) = event["message"].as_str() {
        text.push_str(&format!(": {} ({message})", event["cause"].as_str().unwrap_or_default()));
    }
    if let Some(at) = event["retry_at"].as_str() {
        text.push_str(&format!(", again at {at}"));
    }
    if let Some(why) = event["why"].as_str() {
        text.push_str(&format!(": {why}"));
    }
    if let Some(input) = event.get("input") {
        text.push_str(&format!("\n  input    {}", shortened(input)));
    }
    match event.get("output") {
        Some(output) if output.as_object().is_none_or(|map| !map.is_empty()) => {
            text.push_str(&format!("\n  output   {}", shortened(output)));
        }
        _ => {}
    }
    text
}

/// Returns JSON on one line, truncated if it is long.
fn shortened(value: &Json) -> String {
    const CHARS_MAX: usize = 400;
    let text = value.to_string();
    if text.chars().count() <= CHARS_MAX {
        return text;
    }
    let mut cut: String = text.chars().take(CHARS_MAX).collect();
    cut.push('…');
    cut
}

//! `oms runs list`: lists runs.

use oms_engine::effects::MailEvent;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_sql::NoteFilter;
use oms_sqlite::RunRow;
use serde_json::{Value as Json, json};

use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::render;
use crate::targets::stack::StackOption;
use crate::targets::state::{StateArgs, StateReader};

/// List runs in the order of acceptance
///
/// Example: oms runs list pipelines/storefront.yaml --state parked
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    #[command(flatten)]
    stack: StackOption,
    /// Only runs in this state
    #[arg(long, value_parser = state_of)]
    state: Option<RunState>,
    /// Only runs that are parked with this cause, or that completed after a caught failure with
    /// this cause
    #[arg(long)]
    cause: Option<String>,
    /// Only orders with an e-mail that bounced, caused a complaint or was rejected, or whose e-mail
    /// was sent; requires `--target lambda`
    #[arg(long, value_parser = mail_event_of)]
    mail: Option<MailEvent>,
    /// Maximum number of runs to list
    #[arg(long, default_value_t = 100)]
    limit: u32,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, stack, state, cause, mail, limit, format } = args;
    let found = target.find()?;
    let cause_wanted = cause.as_deref();
    let wanted = NoteFilter { state, cause: cause_wanted, mail, limit, ..NoteFilter::default() };
    if let Some(place) = stack.place()? {
        let Some(stack) = place.open(&found, kinds)? else { return Ok(exit::FINDINGS) };
        return stack.list(wanted, format);
    }
    if mail.is_some() {
        let message =
            "`--mail` is for `--target lambda`; `oms mail list` shows the e-mails of a state";
        return Err(Usage(message.to_owned()).into());
    }
    list(&found.read(kinds)?, state, cause.as_deref(), limit, format)
}

fn list(
    reading: &StateReader,
    state: Option<RunState>,
    cause: Option<&str>,
    limit: u32,
    format: Format,
) -> anyhow::Result<u8> {
    let runs = RunRow::list(&reading.reader, state, cause, limit)?;
    match format {
        Format::Json => {
            let runs: Vec<Json> = runs.iter().map(super::listed).collect();
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
                        super::note(run),
                    ]
                })
                .collect();
            output::result(&render::table(&rows))?;
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
            output::message(&format!(
                "total: {}",
                if counts.is_empty() { "no runs".to_owned() } else { counts.join(", ") }
            ));
        }
    }
    Ok(exit::SUCCESS)
}

fn mail_event_of(name: &str) -> Result<MailEvent, String> {
    let found = MailEvent::ALL.into_iter().find(|event| event.as_str() == name);
    found.ok_or_else(|| {
        format!("expected one of {}", MailEvent::ALL.map(MailEvent::as_str).join(", "))
    })
}

fn state_of(name: &str) -> Result<RunState, String> {
    RunState::parse(name).ok_or_else(|| {
        let names: Vec<&str> = RunState::ALL.iter().map(|state| state.as_str()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

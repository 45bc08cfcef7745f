//! `oms runs show`: shows the steps of a run.

use anyhow::Context as _;
use oms_engine::effects::cause::UNKNOWN_OUTCOME;
use oms_engine::step::StepKind;
use oms_engine::value::format_timestamp;
use oms_runtime::{HeldMail, PersonalData, StepDetails, StepEvent, held_mails};
use oms_sqlite::{RunRow, StoredRun};
use serde_json::{Value as Json, json};

use crate::exit::{self, Usage};
use crate::output::{self, Format};
use crate::targets::stack::StackOption;
use crate::targets::state::{ResolvedState, StateArgs};

/// Show the steps of a run, with masked personal data
///
/// Example: oms runs show pipelines/storefront.yaml NW-10248
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: StateArgs,
    #[command(flatten)]
    stack: StackOption,
    /// Show personal data, and the bodies of requests and answers
    #[arg(long)]
    reveal: bool,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, stack, reveal, format } = args;
    let found = target.find()?;
    let shown = if reveal { PersonalData::Visible } else { PersonalData::Masked };
    let Some(place) = stack.place()? else { return show(&found, shown, format, kinds) };
    if reveal {
        let message = "`--reveal` is not available with `--target lambda`; use `oms objects get`";
        return Err(Usage(message.to_owned()).into());
    }
    let key = key(&found)?;
    let Some(stack) = place.open(&found, kinds)? else { return Ok(exit::FINDINGS) };
    stack.show(key, format)
}

fn show(
    found: &ResolvedState,
    personal_data: PersonalData,
    format: Format,
    kinds: &[StepKind],
) -> anyhow::Result<u8> {
    let key = key(found)?;
    let reading = found.read(kinds)?;
    let row = RunRow::find(&reading.reader, key)?.with_context(|| {
        format!("the run `{key}` does not exist; `oms runs list {}` lists the runs", found.shown())
    })?;
    let stored = StoredRun::load(&reading.reader, row.id)?;
    let plan = reading.bundles.plan(&reading.reader, row.bundle)?;
    let steps = oms_runtime::steps(&stored, &plan, personal_data)?;
    let is_held = row.cause.as_deref().is_some_and(|causes| causes.contains(UNKNOWN_OUTCOME));
    let held = if is_held { held_mails(&stored, &plan, personal_data)? } else { Vec::new() };
    match format {
        Format::Json => {
            let mut shown = super::listed(&row);
            shown["format_version"] = json!(1);
            shown["steps"] = json!(steps);
            if !held.is_empty() {
                let held = held.iter().map(|held| {
                    json!({ "step": &*held.step, "element": held.element, "message_id": held.message_id })
                });
                shown["held_mails"] = held.collect();
            }
            output::json(&shown)?;
        }
        Format::Human => output::result(&human(&row, &steps, &held))?,
    }
    Ok(exit::SUCCESS)
}

fn human(row: &RunRow, steps: &[StepDetails], held: &[HeldMail]) -> String {
    let mut text = format!("{}  {}", row.key, row.state.as_str());
    let note = super::note(row);
    if !note.is_empty() {
        text.push_str(&format!(" ({note})"));
    }
    let (accepted, updated) = (format_timestamp(row.accepted_at), format_timestamp(row.updated_at));
    text.push_str(&format!("\naccepted {accepted}, last changed {updated}\n"));
    for step in steps {
        text.push_str(&format!("\n{}  {}\n", step.id, step.kind));
        if let Some(input) = step.input.as_ref().filter(|input| !input.is_null()) {
            text.push_str(&format!("  input    {}\n", shortened(input)));
        }
        if step.events.is_empty() {
            text.push_str("  not started\n");
        }
        for event in &step.events {
            text.push_str(&format!("  {}\n", event_line(event)));
        }
    }
    if !held.is_empty() {
        text.push_str("\nIt is unknown whether these e-mails were sent. Search the log of the mail server for their Message-IDs:\n");
    }
    for HeldMail { step, element, message_id, .. } in held {
        let element = element.map(|at| format!(" element {at}")).unwrap_or_default();
        text.push_str(&format!("  {step}{element}  <{message_id}>\n"));
    }
    text
}

/// Describes an event in one or more lines.
fn event_line(event: &StepEvent) -> String {
    let mut text = event.name().to_owned();
    if let Some((element, attempt)) = event.attempt() {
        if let Some(element) = element {
            text.push_str(&format!(" element {element}"));
        }
        if attempt > 1 {
            text.push_str(&format!(" attempt {attempt}"));
        }
    }
    if let Some(micros) = event.micros() {
        text.push_str(&format!(" in {micros} µs"));
    }
    match event {
        StepEvent::Failed { cause, message, retry_at, .. } => {
            text.push_str(&format!(": {cause} ({message})"));
            if let Some(at) = retry_at {
                text.push_str(&format!(", next attempt at {}", format_timestamp(*at)));
            }
        }
        StepEvent::Rescheduled { retry_at, .. } => {
            text.push_str(&format!(", next attempt at {}", format_timestamp(*retry_at)));
        }
        StepEvent::Skipped { why, .. } => text.push_str(&format!(": {why}")),
        StepEvent::Answered { element, status, body, .. } => {
            if let Some(element) = element {
                text.push_str(&format!(" element {element}"));
            }
            text.push_str(&format!(": status {status}"));
            if let Some(body) = body {
                text.push_str(&format!("\n  answer   {}", shortened(&Json::from(body.as_str()))));
            }
        }
        _ => {}
    }
    if let Some(input) = event.input() {
        text.push_str(&format!("\n  input    {}", shortened(input)));
    }
    match event {
        StepEvent::Succeeded { output, .. }
            if output.as_object().is_none_or(|map| !map.is_empty()) =>
        {
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

fn key(found: &ResolvedState) -> anyhow::Result<&str> {
    found.first_argument("specify the key of the order; `oms runs list` lists the keys")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_described_with_its_attempt_duration_and_result() {
        let at = jiff::Timestamp::UNIX_EPOCH;
        let failed = StepEvent::Failed {
            element: None,
            attempt: 2,
            at,
            micros: 7,
            cause: "timeout".to_owned(),
            message: "no reply".to_owned(),
            retry_at: Some(at),
            input: None,
        };
        let text = "failed attempt 2 in 7 µs: timeout (no reply), next attempt at 1970-01-01T00:00:00.000Z";
        assert_eq!(event_line(&failed), text);
        let succeeded = |output| StepEvent::Succeeded {
            element: Some(3),
            attempt: 1,
            at,
            micros: 5,
            output,
            input: None,
        };
        let text = "succeeded element 3 in 5 µs";
        assert_eq!(event_line(&succeeded(json!({}))), text);
        let with_output = format!("{text}\n  output   {{\"a\":1}}");
        assert_eq!(event_line(&succeeded(json!({ "a": 1 }))), with_output);
    }

    #[test]
    fn long_values_are_cut_by_characters() {
        let text = shortened(&json!("ä".repeat(500)));
        assert_eq!((text.chars().count(), text.chars().last()), (401, Some('…')));
        assert_eq!(shortened(&json!({ "a": [1] })), "{\"a\":[1]}");
    }
}

//! The page of a run: its order, its steps, and their effects.

use std::sync::Arc;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use oms_engine::diagnostic::quote;
use oms_engine::effects::cause;
use oms_engine::plan::Plan;
use oms_engine::run::{Event, RunState, run_id};
use oms_engine::step::{Port, Verb};
use oms_engine::value::{Shape, Type, masked_text};
use oms_runtime::{
    Bundles, HeldMail, PersonalData, StepDetails, StepEvent, events, held_mails,
    only_mails_are_held, resume, steps,
};
use oms_sqlite::{Error, Reader, RunRow, StoredMail, StoredRun, row_like};
use serde_json::{Value as Json, json};

use super::causes;
use super::page::{self, Page};
use super::visit::{Visit, unavailable};
use crate::format;
use crate::state::flow::Flow;

/// `GET /console/{pipeline}/runs/{key}`.
pub(crate) async fn show(mut visit: Visit, Path((_, key)): Path<(String, String)>) -> Response {
    let revealed = is_revealed(&visit, &key);
    let found = visit.flow().map(|flow| {
        flow.read(|reader, bundles| {
            let Some(row) = RunRow::find(reader, &key)? else { return Ok(None) };
            let open = matches!(row.state, RunState::Parked | RunState::Waiting);
            Ok(Some((open, RunPage { flow, reader, bundles, row, revealed }.data())))
        })
    });
    let error_page = |error: Error, open: bool| {
        let message = "This run cannot be shown";
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        let mut page = Page::error(status, message, &error.to_string());
        if open {
            // A damaged run can still be cancelled.
            let cancel = format!("{}/runs/{}/cancel", visit.base(), format::part(&key));
            page.data["action"] = json!({ "link": cancel, "text": "Cancel run" });
        }
        page
    };
    match found {
        Some(Ok(Some((_, Ok(data))))) => Page::new("run", &key, "runs", data).render(&mut visit),
        Some(Ok(Some((open, Err(error))))) => error_page(error, open).render(&mut visit),
        Some(Err(error)) => error_page(error, false).render(&mut visit),
        Some(Ok(None)) | None => {
            let help = "Keys are case-sensitive.";
            let message = format!("Run {key} does not exist");
            Page::error(StatusCode::NOT_FOUND, &message, help).render(&mut visit)
        }
    }
}

/// `GET /console/{pipeline}/runs/{key}/mail/{number}`: an e-mail as the customer received it, while
/// the personal data of the run is revealed.
pub(crate) async fn mail(
    mut visit: Visit,
    Path((_, key, number)): Path<(String, String, String)>,
) -> Response {
    let Some(flow) = visit.flow() else { return unavailable() };
    let Ok(mails) = flow.read(|reader, _| mails(reader, &key)) else { return unavailable() };
    let mail = number.parse().ok().and_then(|number: usize| mails.into_iter().nth(number));
    match mail {
        Some(mail) if is_revealed(&visit, &key) => page::mail_frame(mail.mail.html),
        Some(_) => {
            let help = "Show the personal data of the run, then open the e-mail again.";
            Page::error(StatusCode::NOT_FOUND, "This e-mail is hidden", help).render(&mut visit)
        }
        None => {
            Page::error(StatusCode::NOT_FOUND, "This e-mail does not exist", "").render(&mut visit)
        }
    }
}

fn is_revealed(visit: &Visit, key: &str) -> bool {
    let at = visit.index.unwrap_or_default();
    visit.session(|session| session.is_revealed(at, key)).unwrap_or_default()
}

fn mails(reader: &Reader, key: &str) -> Result<Vec<StoredMail>, Error> {
    let mut mails = Vec::new();
    StoredMail::each(reader, Some(key), |mail| {
        mails.push(mail);
        Ok(())
    })?;
    Ok(mails)
}

/// Returns whether a run is held.
pub(crate) fn is_held(row: &RunRow) -> bool {
    let causes = row.cause.as_deref().unwrap_or_default();
    row.state == RunState::Parked && causes.split(',').any(|one| one == cause::UNKNOWN_OUTCOME)
}

/// Removes the style of an image. The content security policy forbids it, and the console's style
/// sheet has the same rules.
pub(crate) fn without_style(svg: &str) -> String {
    let styled = svg.split_once("<style>").and_then(|(before, rest)| {
        let (_, after) = rest.split_once("</style>")?;
        Some(format!("{before}{after}"))
    });
    styled.unwrap_or_else(|| svg.to_owned())
}

/// A run that is shown.
struct RunPage<'a> {
    flow: &'a Flow,
    reader: &'a Reader,
    bundles: &'a Bundles,
    row: RunRow,
    revealed: bool,
}

impl RunPage<'_> {
    fn data(&self) -> Result<Json, Error> {
        let Self { flow, reader, row, revealed, .. } = self;
        let shown = if *revealed { PersonalData::Visible } else { PersonalData::Masked };
        let stored = StoredRun::load(reader, row.id)?;
        let plan = self.bundles.plan(reader, row.bundle)?;
        let steps = steps(&stored, &plan, shown)?;
        // The order is shown as it was sent. Members that the schema does not describe may be
        // personal, too.
        let sent = String::from_utf8_lossy(&stored.body);
        let order = match shown {
            PersonalData::Masked => masked_text(&sent, plan.order().schema().ty()),
            PersonalData::Visible => sent.into_owned(),
        };
        let (parked, held) = (row.state == RunState::Parked, is_held(row));
        let held_mails: Vec<Json> = match held {
            true => held_mails(&stored, &plan, shown)?.iter().map(held_mail).collect(),
            false => Vec::new(),
        };
        let can_be_marked = held && only_mails_are_held(&stored, &plan)?;
        let base = format!("/console/{}/runs/{}", plan.name(), format::part(&row.key));
        let duration = row.updated_at.as_millisecond() - row.accepted_at.as_millisecond();
        let open = parked || row.state == RunState::Waiting;
        let mut graph = without_style(&flow.source.draw(&plan));
        for step in &steps {
            let mark = format!("data-step={}", json!(step.id));
            graph = graph.replace(&mark, &format!("{mark} data-state={}", json!(step.state)));
        }
        Ok(json!({
            "key": row.key,
            "run": run_id(plan.name(), &row.key),
            "state": row.state,
            "is_parked": parked,
            "is_open": open,
            "cause": row.cause.clone().unwrap_or_default(),
            "caught": format::caught(row.caught),
            "cause_text": row.cause.as_deref().map(causes::explain).unwrap_or_default(),
            "accepted_at": format::instant(row.accepted_at),
            "updated_at": format::instant(row.updated_at),
            "duration": format::millis(duration),
            "bundle": plan.digest().short(),
            "held_mails": held_mails,
            "graph_svg": graph,
            "steps": steps.iter().map(step_data).collect::<Vec<_>>(),
            "order": { "text": order },
            "rows": self.rows(&stored, &plan, shown)?,
            "mails": self.mails(&base)?,
            "journal": journal(&events(&stored, &plan)?),
            "reveal_link": format!("{base}/reveal"),
            "revealed": revealed,
            "reproduce": self.reproduction(&plan),
            "link": base,
            "actions": { "retry": row.can_be_retried() && !held, "sent": can_be_marked, "resend": held, "cancel": open },
        }))
    }

    /// Returns the rows that the run's steps wrote, with their current values.
    fn rows(
        &self,
        stored: &StoredRun,
        plan: &Arc<Plan>,
        shown: PersonalData,
    ) -> Result<Vec<Json>, Error> {
        let run = resume(stored, plan)?;
        let mut rows = Vec::new();
        for (at, planned) in plan.steps().iter().enumerate() {
            let writes = |verb| matches!(verb, Verb::Insert | Verb::Upsert | Verb::Update);
            let effect = planned
                .effects
                .iter()
                .find(|effect| effect.port == Port::Tables && writes(effect.verb));
            let table = effect.and_then(|effect| {
                plan.tables().iter().find(|table| table.name == effect.resource)
            });
            let input = run.scheduler.input(at);
            // The input of such a step contains the key of the row.
            let (Some(table), Some(row)) = (table, input.as_ref()) else { continue };
            let Some(found) = row_like(self.reader, table, row)? else { continue };
            let ty = Type::of(Shape::Record(Arc::clone(&table.row)));
            let shown = shown.json(&found, &ty);
            let fields: Vec<Json> = table
                .columns
                .iter()
                .map(|column| json!({ "name": column.name, "value": text(&shown[&*column.name]) }))
                .collect();
            rows.push(json!({ "table": table.name, "fields": fields }));
        }
        Ok(rows)
    }

    fn mails(&self, base: &str) -> Result<Vec<Json>, Error> {
        if !self.revealed {
            return Ok(Vec::new());
        }
        let mails = mails(self.reader, &self.row.key)?;
        let state = if self.flow.runner.sends() { "sent" } else { "in the outbox" };
        let shown = |(number, mail): (usize, &StoredMail)| {
            json!({
                "subject": mail.mail.subject, "to": mail.mail.to,
                "sent_at": format::instant(mail.mail.date), "state": state,
                "frame": format!("{base}/mail/{number}"), "message_id": mail.mail.message_id,
            })
        };
        Ok(mails.iter().enumerate().map(shown).collect())
    }

    /// Returns the command that runs the same order elsewhere.
    fn reproduction(&self, plan: &Plan) -> String {
        let stores = |step: &&oms_engine::plan::PlannedStep| {
            step.effects
                .iter()
                .any(|effect| effect.port == Port::Objects && effect.verb == Verb::Put)
        };
        let Some(step) = plan.steps().iter().find(stores) else { return String::new() };
        let bucket = step.effects.iter().find(|effect| effect.port == Port::Objects);
        let bucket = bucket.map(|effect| effect.resource.to_string()).unwrap_or_default();
        let around = step.input.field("key").and_then(|key| key.text_around("run.key"));
        let Some((before, after)) = around else { return String::new() };
        let (file, key) = (quote(&self.flow.source.name()), &self.row.key);
        let object = quote(&format!("{bucket}/{before}{key}{after}"));
        format!(
            "oms objects get {file} {object} > ./{key}.json && oms run {file} --input ./{key}.json --state-dir again"
        )
    }
}

fn held_mail(held: &HeldMail) -> Json {
    let element = held.element.map(|element| format!("[{element}]")).unwrap_or_default();
    json!({ "step": format!("{}{element}", held.step), "message_id": held.message_id, "to": held.to })
}

fn to_pretty_json(json: &Json) -> String {
    match json {
        Json::Null => String::new(),
        json => serde_json::to_string_pretty(json).unwrap_or_default(),
    }
}

fn text(json: &Json) -> String {
    match json {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Converts a step to template data.
fn step_data(step: &StepDetails) -> Json {
    let micros: u64 = step.events.iter().filter_map(StepEvent::micros).sum();
    let attempts =
        step.events.iter().filter_map(StepEvent::attempt).map(|(_, attempt)| attempt).max();
    let (output, failure) = match step.events.last() {
        Some(StepEvent::Succeeded { output, .. }) => (to_pretty_json(output), None),
        Some(StepEvent::Failed { cause, message, retry_at, .. }) => {
            let retry_at = retry_at.map(format::instant).unwrap_or_default();
            let failure = json!({ "cause": cause, "message": message, "retry_at": retry_at });
            (String::new(), Some(failure))
        }
        _ => (String::new(), None),
    };
    json!({
        "id": step.id, "kind": step.kind, "state": step.state,
        "attempts": attempts.map(|attempts| attempts.to_string()).unwrap_or_default(),
        "duration": if attempts.is_none() { String::new() } else { format::micros(micros) },
        "started_at": step.started_at().map(format::instant).unwrap_or_default(),
        "input": step.input.as_ref().map(to_pretty_json).unwrap_or_default(),
        "output": output,
        "failure": failure,
        "events": step.events.iter().map(event_data).collect::<Vec<_>>(),
    })
}

/// Converts an event to template data.
fn event_data(event: &StepEvent) -> Json {
    let detail = match event {
        StepEvent::Succeeded { attempt, micros, .. } => {
            format!("attempt {attempt}, {}", format::micros(*micros))
        }
        StepEvent::Failed { attempt, cause, .. } => format!("attempt {attempt}: {cause}"),
        StepEvent::Claimed { attempt, .. } => format!("attempt {attempt}"),
        StepEvent::Answered { status, .. } => format!("status {status}"),
        StepEvent::Rescheduled { retry_at, .. } => {
            format!("next attempt at {}", format::instant(*retry_at))
        }
        StepEvent::Skipped { why, .. } => why.clone(),
        StepEvent::ReadAgain { .. } => "other runs may have changed the rows".to_owned(),
    };
    json!({ "at": format::instant(event.at()), "what": event.name(), "detail": detail })
}

fn journal(events: &[Event]) -> Vec<Json> {
    let entry = |event: &Event| {
        let (at, what, step, detail) = match event {
            Event::Succeeded { step, attempt, at, micros, .. } => (
                at,
                "succeeded",
                Some(step),
                format!("attempt {attempt}, {}", format::micros(*micros)),
            ),
            Event::Failed { step, attempt, at, failure, .. } => (
                at,
                "failed",
                Some(step),
                format!("attempt {attempt}: {} ({})", failure.message, failure.cause),
            ),
            Event::Claimed { step, attempt, at, .. } => {
                (at, "claimed", Some(step), format!("attempt {attempt}"))
            }
            Event::Answered { step, at, answer, .. } => {
                (at, "answered", Some(step), format!("status {}", answer.status))
            }
            Event::Skipped { step, at, reason } => (at, "skipped", Some(step), reason.to_string()),
            Event::Rescheduled { step, at, retry_at, .. } => {
                (at, "rescheduled", Some(step), format!("next attempt at {retry_at}"))
            }
            Event::ReadAgain { steps, at } => (at, "read again", None, steps.join(", ")),
            Event::Retried { at, done } => {
                let moved = "continues with the current pipeline".to_owned();
                (at, "retried", None, done.as_ref().map_or_else(String::new, |_| moved))
            }
            Event::Cancelled { at } => (at, "cancelled", None, String::new()),
        };
        json!({ "at": format::instant(*at), "what": what, "step": step, "detail": detail })
    };
    let mut entries: Vec<Json> = events.iter().map(entry).collect();
    for entry in &mut entries {
        if entry["step"].is_null() {
            entry["step"] = json!("");
        }
    }
    entries
}

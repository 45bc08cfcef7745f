//! The details of a run for people, step by step. Personal data is masked unless it was requested.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::effects::cause;
use oms_engine::mail::message_id;
use oms_engine::plan::Plan;
use oms_engine::run::{ElementState, Event, StepState, idempotency_key};
use oms_engine::step::Port;
use oms_engine::value::{Type, Value, format_timestamp, masked, to_json};
use oms_sqlite::{Error, StoredRun};
use serde_json::{Value as Json, json};

use super::journal;

/// Whether personal data is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// Personal data is masked.
    Masked,
    /// Personal data is shown.
    Whole,
}

impl Shown {
    /// Converts a value of a type to JSON, and masks its personal data if required.
    pub fn json(self, value: &Value, ty: &Type) -> Json {
        match self {
            Self::Masked => masked(value, ty),
            Self::Whole => to_json(value),
        }
    }
}

/// Returns the details of each step, in the order of the plan: `id`, `kind`, `state`, `input` and
/// `events`. For a step with `for_each`, the last event of each element has the `input` of the
/// element.
///
/// # Errors
/// Returns an error if the journal does not fit the plan.
pub fn steps(stored: &StoredRun, plan: &Arc<Plan>, shown: Shown) -> Result<Vec<Json>, Error> {
    let events = journal::events(stored, plan)?;
    let run = journal::resume(stored, plan)?;
    let of = |(at, planned): (usize, &oms_engine::plan::PlannedStep)| {
        let events = events.iter();
        let events =
            events.filter_map(|event| event_of(event, &planned.id, &planned.output, shown));
        let mut events: Vec<Json> = events.collect();
        let ran = events.iter().any(|event| event["state"] != "skipped");
        let input = run.scheduler.input(at).filter(|_| ran);
        let ty = planned.input.ty();
        let inputs = run.scheduler.element_inputs(at).unwrap_or_default();
        add_inputs(&mut events, &inputs, |input| shown.json(input, &ty));
        json!({
            "id": planned.id,
            "kind": planned.kind,
            "state": run.scheduler.steps().get(at).map(state),
            "input": input.map(|input| shown.json(&input, &ty)),
            "events": events,
        })
    };
    Ok(plan.steps().iter().enumerate().map(of).collect())
}

/// An e-mail with an unknown delivery outcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldMail {
    /// The step that sends it.
    pub step: Arc<str>,
    /// The index of the element, for a step with `for_each`.
    pub element: Option<u32>,
    /// The Message-ID without angle brackets, for a search in the mail server's log.
    pub message_id: String,
    /// The recipient's address, masked unless personal data is shown.
    pub to: String,
}

/// Returns the e-mails of a run that have an unknown delivery outcome.
///
/// # Errors
/// Returns an error if the journal does not fit the plan.
pub fn held_mails(
    stored: &StoredRun,
    plan: &Arc<Plan>,
    shown: Shown,
) -> Result<Vec<HeldMail>, Error> {
    let Some(domain) = plan.mail().and_then(|mail| mail.from.domain().ok()) else {
        return Ok(Vec::new());
    };
    let events = journal::events(stored, plan)?;
    let run = journal::resume(stored, plan)?;
    let mut held = Vec::new();
    for (at, planned) in plan.steps().iter().enumerate() {
        if !planned.effects.iter().any(|effect| effect.port == Port::Mail) {
            continue;
        }
        // Whether the outcome of each element's last attempt is unknown.
        let mut unknown: BTreeMap<Option<u32>, bool> = BTreeMap::new();
        for event in &events {
            let (element, is_unknown) = match event {
                Event::Failed { step, element, failure, .. } if *step == planned.id => {
                    (element, failure.cause == cause::UNKNOWN_OUTCOME)
                }
                Event::Claimed { step, element, .. } if *step == planned.id => (element, true),
                Event::Succeeded { step, element, .. } if *step == planned.id => (element, false),
                _ => continue,
            };
            unknown.insert(*element, is_unknown);
        }
        let elements = run.scheduler.element_inputs(at).unwrap_or_default();
        for element in unknown.into_iter().filter(|(_, held)| *held).map(|(element, _)| element) {
            let input = match element {
                None => run.scheduler.input(at),
                Some(element) => elements.get(element as usize).cloned().flatten(),
            };
            let to = input.as_ref().and_then(|input| input.as_record()?.get("to")?.as_text());
            let to = to.map(|to| to.to_string()).unwrap_or_default();
            let key = idempotency_key(&run.info, &planned.id, element);
            held.push(HeldMail {
                step: Arc::clone(&planned.id),
                element,
                message_id: message_id(&key, &domain),
                to: if shown == Shown::Whole { to } else { "«email»".to_owned() },
            });
        }
    }
    Ok(held)
}

/// Adds the input of each element to its last event, because elements have no JSON object of their
/// own.
fn add_inputs(events: &mut [Json], inputs: &[Option<Value>], shown: impl Fn(&Value) -> Json) {
    let mut seen = vec![false; inputs.len()];
    for event in events.iter_mut().rev() {
        let element = event["element"].as_u64().and_then(|element| usize::try_from(element).ok());
        let Some(element) = element else { continue };
        let (Some(seen), Some(Some(input))) = (seen.get_mut(element), inputs.get(element)) else {
            continue;
        };
        if !std::mem::replace(seen, true) {
            event["input"] = shown(input);
        }
    }
}

const fn state(state: &StepState) -> &'static str {
    match state {
        StepState::Pending => "pending",
        StepState::One(ElementState::Waiting { .. }) => "waiting",
        StepState::One(ElementState::Claimed { .. }) => "claimed",
        StepState::One(_) | StepState::Each { .. } => "running",
        StepState::Succeeded(_) => "succeeded",
        StepState::Failed { .. } => "failed",
        StepState::Skipped(_) => "skipped",
    }
}

/// Returns the JSON of an event if it concerns the step `id`.
fn event_of(event: &Event, id: &Arc<str>, output: &Type, shown: Shown) -> Option<Json> {
    match event {
        Event::Succeeded { step, element, attempt, at, micros, output: value } if step == id => {
            Some(json!({
                "state": "succeeded", "element": element, "attempt": attempt, "at": format_timestamp(*at), "micros": micros,
                "output": shown.json(value, output),
            }))
        }
        Event::Failed { step, element, attempt, at, micros, failure, retry_at } if step == id => {
            Some(json!({
                "state": "failed", "element": element, "attempt": attempt, "at": format_timestamp(*at), "micros": micros,
                "cause": failure.cause, "message": failure.message, "retry_at": retry_at.map(format_timestamp),
            }))
        }
        Event::Claimed { step, element, attempt, at } if step == id => Some(json!({
            "state": "claimed", "element": element, "attempt": attempt, "at": format_timestamp(*at),
        })),
        Event::Rescheduled { step, element, attempts, at, retry_at } if step == id => Some(json!({
            "state": "rescheduled", "element": element, "attempt": attempts, "at": format_timestamp(*at),
            "retry_at": format_timestamp(*retry_at),
        })),
        Event::Skipped { step, at, reason } if step == id => Some(json!({
            "state": "skipped", "at": format_timestamp(*at), "reason": reason,
            "why": reason.to_string(),
        })),
        Event::ReadAgain { steps, at } if steps.contains(id) => {
            Some(json!({ "state": "read_again", "at": format_timestamp(*at) }))
        }
        _ => None,
    }
}

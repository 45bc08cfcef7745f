//! The details of a run for display, step by step. Personal data is masked unless it was requested.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::cause;
use oms_engine::mail::message_id;
use oms_engine::plan::{Plan, PlannedStep};
use oms_engine::run::{ElementState, Event, SkipReason, StepState, idempotency_key};
use oms_engine::step::Port;
use oms_engine::value::{Type, Value, format_timestamp, masked, to_json};
use oms_sqlite::{Error, StoredRun};
use serde::{Serialize, Serializer};
use serde_json::Value as Json;

use super::journal;
use super::request_details::{answer_body, shown_json};

/// Whether personal data is masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PersonalData {
    /// Personal data is masked.
    Masked,
    /// Personal data is shown.
    Visible,
}

impl PersonalData {
    /// Converts a value of a type to JSON, and masks its personal data if required.
    pub fn json(self, value: &Value, ty: &Type) -> Json {
        match self {
            Self::Masked => masked(value, ty),
            Self::Visible => to_json(value),
        }
    }
}

/// The details of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepDetails {
    /// The step's id.
    pub id: Arc<str>,
    /// Its kind.
    pub kind: &'static str,
    /// Its state.
    pub state: Option<StepStatus>,
    /// Its input, unless it did not run or is a step with `for_each`.
    pub input: Option<Json>,
    /// Its events, oldest first.
    pub events: Vec<StepEvent>,
}

/// The state of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// It waits for the steps that it needs.
    Pending,
    /// It waits for its next attempt.
    Waiting,
    /// An attempt with an external effect has begun, and its outcome is unknown.
    Claimed,
    /// It is in progress.
    Running,
    /// It succeeded.
    Succeeded,
    /// It failed.
    Failed,
    /// It will not run.
    Skipped,
}

/// An event of a step. For a step with `for_each`, the last event of each element has the `input`
/// of the element.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum StepEvent {
    /// An attempt succeeded.
    Succeeded {
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The end of the attempt.
        #[serde(serialize_with = "timestamp")]
        at: Timestamp,
        /// The duration in microseconds.
        micros: u64,
        /// The output.
        output: Json,
        /// The input of the element.
        #[serde(skip_serializing_if = "Option::is_none")]
        input: Option<Json>,
    },
    /// An attempt failed.
    Failed {
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The end of the attempt.
        #[serde(serialize_with = "timestamp")]
        at: Timestamp,
        /// The duration in microseconds.
        micros: u64,
        /// The cause of the failure.
        cause: String,
        /// The message of the failure.
        message: String,
        /// When the next attempt begins; `None` if there is no retry.
        #[serde(serialize_with = "optional_timestamp")]
        retry_at: Option<Timestamp>,
        /// The input of the element.
        #[serde(skip_serializing_if = "Option::is_none")]
        input: Option<Json>,
    },
    /// An attempt with an external effect began.
    Claimed {
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of the attempt, from 1.
        attempt: u32,
        /// The start of the attempt.
        #[serde(serialize_with = "timestamp")]
        at: Timestamp,
        /// The input of the element.
        #[serde(skip_serializing_if = "Option::is_none")]
        input: Option<Json>,
    },
    /// A service answered a request, or a user supplied the answer.
    Answered {
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The time of the answer.
        #[serde(serialize_with = "timestamp")]
        at: Timestamp,
        /// The status code.
        status: u16,
        /// The body, if personal data is shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        body: Option<String>,
    },
    /// The next attempt begins at another time, because the clock was set back, or because a service
    /// postponed the attempt.
    Rescheduled {
        /// The element, in a step with `for_each`.
        element: Option<u32>,
        /// The number of attempts made.
        attempt: u32,
        /// The time of the decision.
        #[serde(serialize_with = "timestamp")]
        at: Timestamp,
        /// When the next attempt begins.
        #[serde(serialize_with = "timestamp")]
        retry_at: Timestamp,
        /// The input of the element.
        #[serde(skip_serializing_if = "Option::is_none")]
        input: Option<Json>,
    },
    /// The step was skipped.
    Skipped {
        /// The time of the decision.
        #[serde(serialize_with = "timestamp")]
        at: Timestamp,
        /// The reason.
        reason: SkipReason,
        /// The reason as text.
        why: String,
    },
    /// The step reads its rows again.
    ReadAgain {
        /// The time of the event.
        #[serde(serialize_with = "timestamp")]
        at: Timestamp,
    },
}

impl StepDetails {
    /// Returns the start of the first attempt.
    pub fn started_at(&self) -> Option<Timestamp> {
        self.events.iter().filter_map(StepEvent::started_at).min()
    }
}

impl StepEvent {
    /// Returns the time of the event.
    pub const fn at(&self) -> Timestamp {
        match self {
            Self::Succeeded { at, .. }
            | Self::Failed { at, .. }
            | Self::Claimed { at, .. }
            | Self::Answered { at, .. }
            | Self::Rescheduled { at, .. }
            | Self::Skipped { at, .. }
            | Self::ReadAgain { at } => *at,
        }
    }

    /// Returns the name of the event as in the JSON output, with spaces instead of underscores.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Succeeded { .. } => "succeeded",
            Self::Failed { .. } => "failed",
            Self::Claimed { .. } => "claimed",
            Self::Answered { .. } => "answered",
            Self::Rescheduled { .. } => "rescheduled",
            Self::Skipped { .. } => "skipped",
            Self::ReadAgain { .. } => "read again",
        }
    }

    /// Returns the element and the number of the attempt, or `None` if the event does not belong to
    /// an attempt.
    pub const fn attempt(&self) -> Option<(Option<u32>, u32)> {
        match self {
            Self::Succeeded { element, attempt, .. }
            | Self::Failed { element, attempt, .. }
            | Self::Claimed { element, attempt, .. }
            | Self::Rescheduled { element, attempt, .. } => Some((*element, *attempt)),
            Self::Answered { .. } | Self::Skipped { .. } | Self::ReadAgain { .. } => None,
        }
    }

    /// Returns the duration of a completed attempt in microseconds.
    pub const fn micros(&self) -> Option<u64> {
        match self {
            Self::Succeeded { micros, .. } | Self::Failed { micros, .. } => Some(*micros),
            _ => None,
        }
    }

    /// Returns the input of the element.
    pub const fn input(&self) -> Option<&Json> {
        match self {
            Self::Succeeded { input, .. }
            | Self::Failed { input, .. }
            | Self::Claimed { input, .. }
            | Self::Rescheduled { input, .. } => input.as_ref(),
            Self::Answered { .. } | Self::Skipped { .. } | Self::ReadAgain { .. } => None,
        }
    }

    /// Returns the place for the input of the element, and the element.
    const fn input_mut(&mut self) -> Option<(u32, &mut Option<Json>)> {
        match self {
            Self::Succeeded { element: Some(element), input, .. }
            | Self::Failed { element: Some(element), input, .. }
            | Self::Claimed { element: Some(element), input, .. }
            | Self::Rescheduled { element: Some(element), input, .. } => Some((*element, input)),
            _ => None,
        }
    }

    /// Returns the start of an attempt.
    fn started_at(&self) -> Option<Timestamp> {
        match self {
            Self::Claimed { at, .. } => Some(*at),
            Self::Succeeded { at, micros, .. } | Self::Failed { at, micros, .. } => {
                at.checked_sub(Duration::from_micros(*micros)).ok()
            }
            _ => None,
        }
    }
}

fn timestamp<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_timestamp(*at))
}

fn optional_timestamp<S: Serializer>(
    at: &Option<Timestamp>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    at.map(format_timestamp).serialize(serializer)
}

/// Returns the details of each step, in the order of the plan.
///
/// # Errors
/// Returns an error if the journal does not fit the plan.
pub fn steps(
    stored: &StoredRun,
    plan: &Arc<Plan>,
    shown: PersonalData,
) -> Result<Vec<StepDetails>, Error> {
    let events = journal::events(stored, plan)?;
    let run = journal::resume(stored, plan)?;
    let details = |(at, planned): (usize, &PlannedStep)| {
        let events = events.iter();
        let events = events.filter_map(|event| event_of(event, planned, shown));
        let mut events: Vec<StepEvent> = events.collect();
        let ran = events.iter().any(|event| !matches!(event, StepEvent::Skipped { .. }));
        let input = run.scheduler.input(at).filter(|_| ran);
        let ty = planned.input.ty();
        let inputs = run.scheduler.element_inputs(at).unwrap_or_default();
        add_inputs(&mut events, &inputs, |input| shown_json(planned, input, &ty, shown));
        StepDetails {
            id: Arc::clone(&planned.id),
            kind: planned.kind,
            state: run.scheduler.steps().get(at).map(status),
            input: input.map(|input| shown_json(planned, &input, &ty, shown)),
            events,
        }
    };
    Ok(plan.steps().iter().enumerate().map(details).collect())
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
    shown: PersonalData,
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
                to: if shown == PersonalData::Visible { to } else { "«email»".to_owned() },
            });
        }
    }
    Ok(held)
}

/// Returns whether all steps of a run with an unknown outcome only send e-mails, so that a user can
/// mark them as sent.
///
/// # Errors
/// Returns an error if the journal does not fit the plan.
pub fn only_mails_are_held(stored: &StoredRun, plan: &Arc<Plan>) -> Result<bool, Error> {
    let run = journal::resume(stored, plan)?;
    let mut held = run.scheduler.unknown_outcomes();
    Ok(held.all(|(step, _)| sends_only_mail(plan, step)))
}

/// Returns whether a step only sends an e-mail.
pub(crate) fn sends_only_mail(plan: &Plan, step: &str) -> bool {
    let planned = plan.step(step).and_then(|at| plan.steps().get(at));
    planned.is_some_and(|planned| planned.effects.iter().all(|effect| effect.port == Port::Mail))
}

/// Adds the input of each element to the element's last event.
fn add_inputs(events: &mut [StepEvent], inputs: &[Option<Value>], shown: impl Fn(&Value) -> Json) {
    let mut seen = vec![false; inputs.len()];
    for event in events.iter_mut().rev() {
        let Some((element, place)) = event.input_mut() else { continue };
        let element = element as usize;
        let (Some(seen), Some(Some(input))) = (seen.get_mut(element), inputs.get(element)) else {
            continue;
        };
        if !std::mem::replace(seen, true) {
            *place = Some(shown(input));
        }
    }
}

const fn status(state: &StepState) -> StepStatus {
    match state {
        StepState::Pending => StepStatus::Pending,
        StepState::One(ElementState::Waiting { .. }) => StepStatus::Waiting,
        StepState::One(ElementState::Claimed { .. }) => StepStatus::Claimed,
        StepState::One(_) | StepState::Each { .. } => StepStatus::Running,
        StepState::Succeeded(_) => StepStatus::Succeeded,
        StepState::Failed { .. } => StepStatus::Failed,
        StepState::Skipped(_) => StepStatus::Skipped,
    }
}

/// Converts an event if it concerns a step.
fn event_of(event: &Event, planned: &PlannedStep, shown: PersonalData) -> Option<StepEvent> {
    let id = &planned.id;
    match event {
        Event::Succeeded { step, element, attempt, at, micros, output: value } if step == id => {
            Some(StepEvent::Succeeded {
                element: *element,
                attempt: *attempt,
                at: *at,
                micros: *micros,
                output: shown_json(planned, value, &planned.output, shown),
                input: None,
            })
        }
        Event::Failed { step, element, attempt, at, micros, failure, retry_at } if step == id => {
            Some(StepEvent::Failed {
                element: *element,
                attempt: *attempt,
                at: *at,
                micros: *micros,
                cause: failure.cause.clone(),
                message: failure.message.clone(),
                retry_at: *retry_at,
                input: None,
            })
        }
        Event::Claimed { step, element, attempt, at, .. } if step == id => {
            Some(StepEvent::Claimed { element: *element, attempt: *attempt, at: *at, input: None })
        }
        Event::Answered { step, element, at, answer } if step == id => Some(StepEvent::Answered {
            element: *element,
            at: *at,
            status: answer.status,
            body: answer_body(answer, shown),
        }),
        Event::Rescheduled { step, element, attempts, at, retry_at } if step == id => {
            Some(StepEvent::Rescheduled {
                element: *element,
                attempt: *attempts,
                at: *at,
                retry_at: *retry_at,
                input: None,
            })
        }
        Event::Skipped { step, at, reason } if step == id => {
            Some(StepEvent::Skipped { at: *at, reason: reason.clone(), why: reason.to_string() })
        }
        Event::ReadAgain { steps, at } if steps.contains(id) => {
            Some(StepEvent::ReadAgain { at: *at })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn the_json_of_an_event_has_all_its_members_in_order() {
        let json = |event| serde_json::to_string(&event).unwrap();
        let failed = StepEvent::Failed {
            element: None,
            attempt: 2,
            at: at(0),
            micros: 5,
            cause: "timeout".to_owned(),
            message: "too late".to_owned(),
            retry_at: None,
            input: None,
        };
        assert_eq!(
            json(failed),
            r#"{"state":"failed","element":null,"attempt":2,"at":"1970-01-01T00:00:00.000Z","micros":5,"cause":"timeout","message":"too late","retry_at":null}"#
        );
        let reason = SkipReason::NeedFailed("charge".into());
        let why = reason.to_string();
        assert_eq!(
            json(StepEvent::Skipped { at: at(1), reason, why: why.clone() }),
            format!(
                r#"{{"state":"skipped","at":"1970-01-01T00:00:01.000Z","reason":{{"need_failed":"charge"}},"why":"{why}"}}"#
            )
        );
        assert_eq!(
            json(StepEvent::ReadAgain { at: at(1) }),
            r#"{"state":"read_again","at":"1970-01-01T00:00:01.000Z"}"#
        );
    }

    #[test]
    fn a_step_starts_with_its_first_attempt() {
        let ended = |second, micros| StepEvent::Succeeded {
            element: None,
            attempt: 1,
            at: at(second),
            micros,
            output: Json::Null,
            input: None,
        };
        let step = |events| StepDetails {
            id: "charge".into(),
            kind: "money.convert",
            state: None,
            input: None,
            events,
        };
        assert_eq!(step(vec![]).started_at(), None);
        assert_eq!(step(vec![StepEvent::ReadAgain { at: at(1) }]).started_at(), None);
        assert_eq!(step(vec![ended(9, 2_000_000), ended(8, 0)]).started_at(), Some(at(7)));
        let claimed = StepEvent::Claimed { element: None, attempt: 1, at: at(5), input: None };
        assert_eq!(step(vec![claimed, ended(9, 2_000_000)]).started_at(), Some(at(5)));
    }
}

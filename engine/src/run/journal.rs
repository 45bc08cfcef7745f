//! Encodes and decodes events: one JSON array per commit, readable with any tool.

use std::borrow::Cow;
use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use jiff::Timestamp;
use oms_core::effects::Answer;
use oms_core::value::{Value, read_json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::event::{Event, SkipReason};
use super::failure::Failure;
use crate::plan::Plan;

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It is not valid JSON, or not in the format of a journal.
    #[error("the journal is damaged")]
    Damaged(#[from] serde_json::Error),
    /// An event lacks a required member.
    #[error("the journal has an incomplete event for `{step}`")]
    Incomplete {
        /// The step.
        step: Arc<str>,
    },
    /// A step's output does not fit the plan.
    #[error("the output of `{step}` does not fit the plan")]
    Output {
        /// The step.
        step: Arc<str>,
    },
}

/// The stored form. Names are short, because every step of every order has an event. The form is
/// flat, because serde buffers tagged enums and a buffer would lose the original text of an output.
#[derive(Serialize, Deserialize)]
struct StoredEvent<'a, O> {
    is: EventKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    step: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    element: Option<u32>,
    #[serde(default = "first", skip_serializing_if = "is_first")]
    attempt: u32,
    at: i64,
    #[serde(default, skip_serializing_if = "is_zero")]
    us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failure: Option<Failure>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_at: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    why: Option<SkipReason>,
    /// The digest of a claimed request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    request: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer: Option<StoredAnswer>,
    /// The completed steps at a retry, or the steps that are read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    done: Option<Arc<[Arc<str>]>>,
    #[serde(default = "Option::default", skip_serializing_if = "Option::is_none")]
    out: Option<O>,
}

/// An answer. Its body is text if it is UTF-8, and Base64 otherwise (RFC 4648).
#[derive(Serialize, Deserialize)]
struct StoredAnswer {
    status: u16,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    text: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
}

impl StoredAnswer {
    fn of(answer: &Answer) -> Self {
        let text = std::str::from_utf8(&answer.body).ok().map(str::to_owned);
        let base64 = text.is_none().then(|| BASE64.encode(&answer.body));
        Self { status: answer.status, text, base64 }
    }

    fn read(self) -> Option<Answer> {
        let body = match (self.text, self.base64) {
            (Some(text), _) => text.into_bytes(),
            (None, Some(encoded)) => BASE64.decode(encoded).ok()?,
            (None, None) => return None,
        };
        Some(Answer { status: self.status, body: Arc::from(body), retry_after: None })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventKind {
    Ok,
    Failed,
    Claimed,
    Answered,
    Skipped,
    Rescheduled,
    ReadAgain,
    Retried,
    Cancelled,
}

const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
const fn is_first(attempt: &u32) -> bool {
    *attempt == 1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
const fn is_zero(micros: &u64) -> bool {
    *micros == 0
}

/// Encodes events. Times are microseconds since 1970.
pub fn encode(events: &[Event]) -> String {
    let written: Vec<StoredEvent<'_, &Value>> = events.iter().map(write).collect();
    // No event fails to serialize.
    serde_json::to_string(&written).unwrap_or_default()
}

fn write(event: &Event) -> StoredEvent<'_, &Value> {
    let bare = |is, step: Option<&'_ Arc<str>>| StoredEvent {
        is,
        step: step.map(|step| Cow::Owned(step.to_string())),
        element: None,
        attempt: 1,
        at: event.at().as_microsecond(),
        us: 0,
        failure: None,
        retry_at: None,
        why: None,
        request: None,
        answer: None,
        done: None,
        out: None,
    };
    match event {
        Event::Succeeded { step, element, attempt, micros, output, .. } => StoredEvent {
            step: Some(Cow::Borrowed(step)),
            element: *element,
            attempt: *attempt,
            us: *micros,
            out: Some(output),
            ..bare(EventKind::Ok, None)
        },
        Event::Failed { step, element, attempt, micros, failure, retry_at, .. } => StoredEvent {
            step: Some(Cow::Borrowed(step)),
            element: *element,
            attempt: *attempt,
            us: *micros,
            failure: Some(failure.clone()),
            retry_at: retry_at.map(Timestamp::as_microsecond),
            ..bare(EventKind::Failed, None)
        },
        Event::Claimed { step, element, attempt, request, .. } => StoredEvent {
            step: Some(Cow::Borrowed(step)),
            element: *element,
            attempt: *attempt,
            request: request.clone(),
            ..bare(EventKind::Claimed, None)
        },
        Event::Answered { step, element, answer, .. } => StoredEvent {
            element: *element,
            answer: Some(StoredAnswer::of(answer)),
            ..bare(EventKind::Answered, Some(step))
        },
        Event::Skipped { step, reason, .. } => {
            StoredEvent { why: Some(reason.clone()), ..bare(EventKind::Skipped, Some(step)) }
        }
        Event::Rescheduled { step, element, attempts, retry_at, .. } => StoredEvent {
            element: *element,
            attempt: *attempts,
            retry_at: Some(retry_at.as_microsecond()),
            ..bare(EventKind::Rescheduled, Some(step))
        },
        Event::ReadAgain { steps, .. } => {
            StoredEvent { done: Some(Arc::clone(steps)), ..bare(EventKind::ReadAgain, None) }
        }
        Event::Retried { done, .. } => {
            StoredEvent { done: done.clone(), ..bare(EventKind::Retried, None) }
        }
        Event::Cancelled { .. } => bare(EventKind::Cancelled, None),
    }
}

/// Decodes events. The types of the plan determine how outputs are read. The output of a step that
/// the plan does not have is [`Value::Missing`].
///
/// # Errors
/// Returns an error if the text is damaged or does not fit the plan.
pub fn decode(text: &str, plan: &Plan) -> Result<Vec<Event>, JournalError> {
    let written: Vec<StoredEvent<'_, &RawValue>> = serde_json::from_str(text)?;
    written.into_iter().map(|written| read(written, plan)).collect()
}

fn read(written: StoredEvent<'_, &RawValue>, plan: &Plan) -> Result<Event, JournalError> {
    let StoredEvent { is, step, element, attempt, at, us, failure, retry_at, why, .. } = written;
    let StoredEvent { request, answer, done, out, .. } = written;
    let step: Arc<str> = Arc::from(step.as_deref().unwrap_or_default());
    let at = instant(at);
    Ok(match (is, failure, why) {
        (EventKind::Ok, ..) if plan.step(&step).is_none() => {
            let output = Value::Missing;
            Event::Succeeded { step, element, attempt, at, micros: us, output }
        }
        (EventKind::Ok, ..) => {
            let output = output(plan, &step, element, out)
                .ok_or_else(|| JournalError::Output { step: Arc::clone(&step) })?;
            Event::Succeeded { step, element, attempt, at, micros: us, output }
        }
        (EventKind::Failed, Some(failure), _) => {
            let retry_at = retry_at.map(instant);
            Event::Failed { step, element, attempt, at, micros: us, failure, retry_at }
        }
        (EventKind::Claimed, ..) => Event::Claimed { step, element, attempt, at, request },
        (EventKind::Answered, ..) => {
            let answer = answer.and_then(StoredAnswer::read);
            let answer =
                answer.ok_or_else(|| JournalError::Incomplete { step: Arc::clone(&step) })?;
            Event::Answered { step, element, at, answer: Arc::new(answer) }
        }
        (EventKind::Skipped, _, Some(reason)) => Event::Skipped { step, at, reason },
        (EventKind::Rescheduled, ..) => {
            let retry_at = retry_at.map(instant);
            let retry_at =
                retry_at.ok_or_else(|| JournalError::Incomplete { step: Arc::clone(&step) })?;
            Event::Rescheduled { step, element, attempts: attempt, at, retry_at }
        }
        (EventKind::ReadAgain, ..) => Event::ReadAgain { steps: done.unwrap_or_default(), at },
        (EventKind::Retried, ..) => Event::Retried { at, done },
        (EventKind::Cancelled, ..) => Event::Cancelled { at },
        (EventKind::Failed | EventKind::Skipped, ..) => {
            return Err(JournalError::Incomplete { step });
        }
    })
}

fn output(plan: &Plan, step: &str, element: Option<u32>, out: Option<&RawValue>) -> Option<Value> {
    let planned = plan.steps().get(plan.step(step)?)?;
    if planned.for_each.is_some() && element.is_none() {
        // Without an element, this is the event of the whole step, whose list was empty.
        return Some(Value::List(Arc::from([])));
    }
    // A missing output was null: serde does not distinguish them here.
    let text = out.map_or("null", RawValue::get);
    read_json(text.as_bytes(), &planned.stored).ok().map(|parsed| parsed.value)
}

fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

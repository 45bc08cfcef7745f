//! Events to text and back: one JSON array per commit, readable with any tool.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::event::{Event, SkipReason};
use super::failure::Failure;
use crate::effects::Class;
use crate::plan::Plan;
use crate::value::{Value, read_json};

/// Why a journal cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// It is not what this program writes.
    #[error("the journal is damaged")]
    Damaged(#[from] serde_json::Error),
    /// A step's output does not fit the plan.
    #[error("the output of `{step}` does not fit the plan")]
    Output {
        /// The step.
        step: Arc<str>,
    },
}

/// The written form. Names are short, since there is one for every step of every order.
#[derive(Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Written<'a, O> {
    Ok {
        step: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        element: Option<u32>,
        #[serde(default = "first", skip_serializing_if = "is_first")]
        attempt: u32,
        at: i64,
        us: u64,
        out: O,
    },
    Failed {
        step: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        element: Option<u32>,
        #[serde(default = "first", skip_serializing_if = "is_first")]
        attempt: u32,
        at: i64,
        us: u64,
        class: Class,
        cause: Cow<'a, str>,
        message: Cow<'a, str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_at: Option<i64>,
    },
    Skipped {
        step: Cow<'a, str>,
        at: i64,
        why: SkipReason,
    },
    Retried {
        at: i64,
    },
    Cancelled {
        at: i64,
    },
}

const fn first() -> u32 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
const fn is_first(attempt: &u32) -> bool {
    *attempt == 1
}

/// Writes events. Instants are microseconds since 1970.
pub fn encode(events: &[Event]) -> String {
    let written: Vec<Written<'_, &Value>> = events
        .iter()
        .map(|event| match event {
            Event::Succeeded { step, element, attempt, at, micros, output } => Written::Ok {
                step: Cow::Borrowed(step),
                element: *element,
                attempt: *attempt,
                at: at.as_microsecond(),
                us: *micros,
                out: output,
            },
            Event::Failed { step, element, attempt, at, micros, failure, retry_at } => {
                Written::Failed {
                    step: Cow::Borrowed(step),
                    element: *element,
                    attempt: *attempt,
                    at: at.as_microsecond(),
                    us: *micros,
                    class: failure.class,
                    cause: Cow::Borrowed(&failure.cause),
                    message: Cow::Borrowed(&failure.message),
                    retry_at: retry_at.map(Timestamp::as_microsecond),
                }
            }
            Event::Skipped { step, at, reason } => Written::Skipped {
                step: Cow::Borrowed(step),
                at: at.as_microsecond(),
                why: reason.clone(),
            },
            Event::Retried { at } => Written::Retried { at: at.as_microsecond() },
            Event::Cancelled { at } => Written::Cancelled { at: at.as_microsecond() },
        })
        .collect();
    // Nothing in an event refuses to be written.
    serde_json::to_string(&written).unwrap_or_default()
}

/// Reads events back, outputs by the types of the plan.
///
/// # Errors
/// When the text is damaged, or the plan is another one.
pub fn decode(text: &str, plan: &Plan) -> Result<Vec<Event>, JournalError> {
    let written: Vec<Written<'_, &RawValue>> = serde_json::from_str(text)?;
    written.into_iter().map(|written| event(written, plan)).collect()
}

fn event(written: Written<'_, &RawValue>, plan: &Plan) -> Result<Event, JournalError> {
    Ok(match written {
        Written::Ok { step, element, attempt, at, us, out } => {
            let step: Arc<str> = Arc::from(step.as_ref());
            let output = plan
                .step(&step)
                .and_then(|at| plan.steps().get(at))
                .and_then(|planned| {
                    // Without an element this is the whole step, whose output may be an empty list.
                    let listed = planned.for_each.is_some() && element.is_none();
                    if listed {
                        return Some(Value::List(Arc::from([])));
                    }
                    read_json(out.get().as_bytes(), &planned.stored).ok().map(|parsed| parsed.value)
                })
                .ok_or_else(|| JournalError::Output { step: Arc::clone(&step) })?;
            Event::Succeeded { step, element, attempt, at: instant(at), micros: us, output }
        }
        Written::Failed { step, element, attempt, at, us, class, cause, message, retry_at } => {
            Event::Failed {
                step: Arc::from(step.as_ref()),
                element,
                attempt,
                at: instant(at),
                micros: us,
                failure: Failure {
                    class,
                    cause: cause.into_owned(),
                    message: message.into_owned(),
                },
                retry_at: retry_at.map(instant),
            }
        }
        Written::Skipped { step, at, why } => {
            Event::Skipped { step: Arc::from(step.as_ref()), at: instant(at), reason: why }
        }
        Written::Retried { at } => Event::Retried { at: instant(at) },
        Written::Cancelled { at } => Event::Cancelled { at: instant(at) },
    })
}

fn instant(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(Timestamp::UNIX_EPOCH)
}

//! Answers of services that a user supplies for requests whose outcome is unknown.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::effects::Answer;
use oms_engine::plan::{Plan, PlannedStep};
use oms_engine::run::Event;
use serde::{Deserialize, Serialize};

/// An answer that a user found out, for example in the dashboard of the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuppliedAnswer {
    /// The step. It can be left out if the outcome of only one request is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// The element, in a step with `for_each`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub element: Option<u32>,
    /// The status code.
    pub status: u16,
    /// The body, as the service sent it.
    pub body: String,
}

/// Why supplied answers do not fit a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AnswerFault {
    /// The step does not call a service.
    #[error(
        "`{0}` calls no service; use `--held resend` to run it again, or `--held sent` if its e-mail was sent"
    )]
    NoService(String),
    /// A request has no answer.
    #[error("the file has no answer for `{0}`")]
    Missing(String),
    /// An answer belongs to no request with an unknown outcome.
    #[error("the file has an answer for a request whose outcome is not unknown")]
    NotNeeded,
    /// The status does not end a request.
    #[error(
        "the status {0} does not end a request; use a status from 200 to 299, or a refusal from 400 to 499 other than 408, 425 and 429"
    )]
    Status(u16),
}

/// Returns the events that store the answers. Every request with an unknown outcome needs one,
/// because the others would be sent again.
///
/// # Errors
/// Returns an error if the answers do not fit.
pub(crate) fn events(
    answers: &[SuppliedAnswer],
    unknown: &BTreeSet<(Arc<str>, Option<u32>)>,
    plan: &Plan,
    at: Timestamp,
) -> Result<Vec<Event>, AnswerFault> {
    let ends = |status: u16| match status {
        200..=299 => true,
        408 | 425 | 429 => false,
        _ => (400..500).contains(&status),
    };
    if let Some(answer) = answers.iter().find(|answer| !ends(answer.status)) {
        return Err(AnswerFault::Status(answer.status));
    }
    let is_only = unknown.len() == 1;
    let mut events = Vec::with_capacity(unknown.len());
    for (step, element) in unknown {
        let planned = plan.step(step).and_then(|at| plan.steps().get(at));
        if !planned.is_some_and(PlannedStep::calls_service) {
            return Err(AnswerFault::NoService(step.to_string()));
        }
        let named = |answer: &&SuppliedAnswer| match &answer.step {
            Some(named) => {
                **named == **step
                    && (answer.element == *element || is_only && answer.element.is_none())
            }
            None => is_only,
        };
        let Some(answer) = answers.iter().find(named) else {
            let at = element.map_or_else(String::new, |element| format!("[{element}]"));
            return Err(AnswerFault::Missing(format!("{step}{at}")));
        };
        let body = Arc::from(answer.body.as_bytes());
        let answer = Arc::new(Answer { status: answer.status, body, retry_after: None });
        events.push(Event::Answered { step: Arc::clone(step), element: *element, at, answer });
    }
    if answers.len() > events.len() {
        return Err(AnswerFault::NotNeeded);
    }
    Ok(events)
}

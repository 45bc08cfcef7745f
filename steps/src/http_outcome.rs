//! The meaning of answers and of missing answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::effects::{Answer, CallError, CallErrorKind, RequestEnd, StepError, cause};
use oms_engine::step::{DataSchema, PlanContext, Safety};
use oms_engine::value::Value;

use crate::own_cause;

/// The longest wait that a service can request with `Retry-After`.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(24 * 3600);
/// Maximum number of problems of an answer in a message.
const PROBLEMS_MAX: usize = 3;

/// The meaning of the statuses that a step declares.
pub(crate) struct Statuses {
    refusals: BTreeMap<u16, String>,
    transient: BTreeSet<u16>,
}

impl Statuses {
    /// Checks the declared statuses. `may_repeat` tells whether requests with an unknown outcome
    /// are repeated. Returns `None` if there are faults.
    pub(crate) fn check(
        refusals: &BTreeMap<String, String>,
        transient: &[u16],
        may_repeat: bool,
        cx: &mut PlanContext<'_>,
    ) -> Option<Self> {
        let mut findings = Vec::new();
        let mut causes = BTreeMap::new();
        for (status, name) in refusals {
            let route = Route::root().key("refusals").key(status);
            match refused_status(status, route.clone()) {
                Ok(number) => _ = causes.insert(number, name.clone()),
                Err(finding) => findings.push(*finding),
            }
            if let Some((message, help)) = own_cause::fault(name) {
                findings.push(invalid(Place::value(route), message, help));
            }
        }
        for (at, status) in transient.iter().enumerate() {
            let place = Place::value(Route::root().key("transient").index(at));
            if !(400..600).contains(status) {
                let message = format!("{status} is not a status of an error");
                findings.push(invalid(place, message, "use a status from 400 to 599"));
            } else if causes.contains_key(status) {
                let message = format!("the status {status} is also in `refusals`");
                findings.push(invalid(place, message, "keep it in one of the two"));
            } else if is_unknown(*status) && !may_repeat {
                let message = format!(
                    "after the status {status}, it is unknown whether the service processed the request"
                );
                let help = "remove it, or add `idempotency` to the service";
                let finding = Finding::error(codes::UNSAFE_RETRY, place, message);
                findings.push(finding.help(help.to_owned()));
            }
        }
        let is_valid = findings.is_empty();
        findings.into_iter().for_each(|finding| cx.fault(finding));
        is_valid.then(|| Self { refusals: causes, transient: transient.iter().copied().collect() })
    }
}

/// Reads the status of a refusal.
fn refused_status(status: &str, route: Route) -> Result<u16, Box<Finding>> {
    match status.parse() {
        Ok(408 | 425 | 429) => {
            let message = format!("the status {status} is not a refusal");
            Err(Box::new(invalid(Place::key(route), message, "remove it; the request is retried")))
        }
        Ok(number @ 400..=499) => Ok(number),
        _ => {
            let message = format!("`{status}` is not a status of a refusal");
            Err(Box::new(invalid(Place::key(route), message, "use a status from 400 to 499")))
        }
    }
}

fn invalid(place: Place, message: String, help: &str) -> Finding {
    Finding::error(codes::VALUE_NOT_ALLOWED, place, message).help(help.to_owned())
}

/// Decides what an answer means for a step.
pub(crate) struct Outcomes {
    pub service: Arc<str>,
    pub safety: Safety,
    pub statuses: Statuses,
}

impl Outcomes {
    /// Checks the status of an answer.
    ///
    /// # Errors
    /// Returns an error unless the status is 2xx.
    pub(crate) fn check(&self, answer: &Answer) -> Result<(), StepError> {
        let status = answer.status;
        let message = format!("the service `{}` answered {status}", self.service);
        let error = match status {
            200..300 => return Ok(()),
            _ if self.statuses.refusals.contains_key(&status) => {
                let cause = self.statuses.refusals.get(&status).map_or("", String::as_str);
                StepError::permanent(cause, message).with_request(RequestEnd::Refused)
            }
            429 => {
                StepError::transient(cause::THROTTLED, message).with_request(RequestEnd::NotDone)
            }
            425 => {
                StepError::transient(cause::UNAVAILABLE, message).with_request(RequestEnd::NotDone)
            }
            _ if self.statuses.transient.contains(&status) && !is_unknown(status) => {
                StepError::transient(cause::UNAVAILABLE, message).with_request(RequestEnd::NotDone)
            }
            301 | 307 | 308 | 400..=499 if status != 408 => {
                let message = match status {
                    300..400 => format!("{message}; redirects are not followed"),
                    _ => message,
                };
                StepError::permanent(cause::REFUSED, message).with_request(RequestEnd::Refused)
            }
            501 | 505 => {
                StepError::permanent(cause::REFUSED, message).with_request(RequestEnd::Refused)
            }
            // The service may have processed the request.
            _ if !self.may_repeat() => StepError::unknown(message),
            100..400 => {
                let message = format!("{message}; redirects are not followed");
                StepError::permanent(cause::REFUSED, message)
            }
            408 | 504 => StepError::transient(cause::TIMEOUT, message),
            _ => StepError::transient(cause::UNAVAILABLE, message),
        };
        Err(match answer.retry_after {
            Some(wait) => error.retry_after(wait.min(RETRY_AFTER_MAX)),
            None => error,
        })
    }

    /// Reads the body of an answer.
    ///
    /// # Errors
    /// Returns an error with the cause `answer` if the body does not match the schema.
    pub(crate) fn read(&self, schema: &DataSchema, answer: &Answer) -> Result<Value, StepError> {
        schema.read(&answer.body).map_err(|problems| {
            let count = problems.len();
            let described = problems.iter().take(PROBLEMS_MAX).map(|problem| {
                let subject = match problem.pointer.as_str() {
                    "" => "it",
                    pointer => pointer,
                };
                format!("{subject} {}", problem.message)
            });
            let mut described = described.collect::<Vec<_>>().join(", ");
            if count > PROBLEMS_MAX {
                described.push_str(&format!(", and {} more problems", count - PROBLEMS_MAX));
            }
            let message = format!(
                "the answer of the service `{}` does not match the schema: {described}",
                self.service
            );
            StepError::permanent(cause::ANSWER, message)
        })
    }

    /// Returns the failure of a request without a usable answer.
    pub(crate) fn failure(&self, error: CallError) -> StepError {
        let message = format!("service `{}`: {}", self.service, error.message);
        match error.kind {
            CallErrorKind::Environment => {
                StepError::permanent(cause::ENVIRONMENT, message).with_request(RequestEnd::NotDone)
            }
            CallErrorKind::NotSent => {
                StepError::transient(cause::UNAVAILABLE, message).with_request(RequestEnd::NotDone)
            }
            CallErrorKind::Lost | CallErrorKind::TimedOut | CallErrorKind::Unreadable(_)
                if !self.may_repeat() =>
            {
                StepError::unknown(message)
            }
            CallErrorKind::TimedOut => StepError::transient(cause::TIMEOUT, message),
            CallErrorKind::Lost => StepError::transient(cause::UNAVAILABLE, message),
            CallErrorKind::Unreadable(_) => StepError::permanent(cause::ANSWER, message),
        }
    }

    /// Returns whether a request whose outcome is unknown is safe to repeat.
    const fn may_repeat(&self) -> bool {
        !matches!(self.safety, Safety::Claimed(_))
    }
}

/// Returns whether it is unknown after a status if the service processed the request.
const fn is_unknown(status: u16) -> bool {
    status == 408 || status >= 500
}

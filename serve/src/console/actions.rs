//! Actions on a run. Each is recorded in the audit log before it is executed. Actions that change
//! the run ask for confirmation first.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Response;
use oms_engine::run::RunState;
use oms_runtime::HeldDecision;
use oms_sqlite::RunRow;
use serde_json::json;

use super::audit;
use super::form::{EmptyForm, SubmittedForm};
use super::page::Page;
use super::run::is_held;
use super::visit::Visit;
use crate::format;
use crate::state::error::with_sources;
use crate::state::notice::Notice;

/// An action on a run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RunAction {
    Retry,
    Sent,
    Resend,
    Cancel,
    Reveal,
}

impl RunAction {
    fn parse(name: &str) -> Option<Self> {
        [Self::Retry, Self::Sent, Self::Resend, Self::Cancel, Self::Reveal]
            .into_iter()
            .find(|action| action.name() == name)
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Sent => "sent",
            Self::Resend => "resend",
            Self::Cancel => "cancel",
            Self::Reveal => "reveal",
        }
    }

    /// Returns the title of the confirmation page.
    fn title(self, key: &str) -> String {
        match self {
            Self::Retry => format!("Retry {key}"),
            Self::Sent => format!("Mark the e-mail for {key} as sent"),
            Self::Resend => format!("Resend the e-mail for {key}"),
            Self::Cancel => format!("Cancel {key}"),
            Self::Reveal => format!("Show the personal data of {key}"),
        }
    }

    /// Returns the explanation and the label of the button.
    const fn texts(self) -> (&'static str, &'static str) {
        match self {
            Self::Retry => (
                "The run continues where it failed or waits, with the current pipeline file. Completed steps do not run again.",
                "Retry",
            ),
            Self::Sent => (
                "Confirm this only if the e-mail was sent. It is not sent again, and the run continues.",
                "Mark as sent",
            ),
            Self::Resend => (
                "Confirm this only if the e-mail was not sent, or if it does not matter that it arrives twice.",
                "Resend",
            ),
            Self::Cancel => (
                "A cancelled run cannot be resumed. Completed steps stay completed, and the key cannot be used again.",
                "Cancel run",
            ),
            Self::Reveal => (
                "The data is shown in this session for 15 minutes. The audit log records this.",
                "Show personal data",
            ),
        }
    }
}

fn not_found(visit: &mut Visit) -> Response {
    Page::error(StatusCode::NOT_FOUND, "This page does not exist", "").render(visit)
}

/// `GET /console/{pipeline}/runs/{key}/{action}`: the confirmation page.
pub(crate) async fn confirm(
    mut visit: Visit,
    Path((_, key, name)): Path<(String, String, String)>,
) -> Response {
    let Some(action) = RunAction::parse(&name) else { return not_found(&mut visit) };
    let Some(row) = find(&visit, &key) else { return not_found(&mut visit) };
    let base = format!("{}/runs/{}", visit.base(), format::part(&row.key));
    let title = action.title(&row.key);
    let (explanation, button) = action.texts();
    let explanation: Vec<String> =
        [explanation.to_owned()].into_iter().chain(state_description(&row)).collect();
    let data = json!({
        "question": format!("{title}?"),
        "explanation": explanation,
        "action": format!("{base}/{}", action.name()),
        "back": base,
        "button": button,
        "danger": matches!(action, RunAction::Cancel | RunAction::Resend),
        "hidden": [],
    });
    Page::new("confirm", &title, "confirm", data).render(&mut visit)
}

/// Describes the state of the run on the confirmation page.
fn state_description(row: &RunRow) -> Option<String> {
    let cause = row.cause.as_deref().unwrap_or_default();
    match row.state {
        RunState::Parked => Some(format!("The run is parked: {cause}.")),
        RunState::Waiting => {
            let until = format::instant(row.wait_until?);
            Some(format!(
                "The run waits for its next attempt at {until}. A retry starts the attempt now."
            ))
        }
        RunState::Completed if row.caught > 0 => Some(format!(
            "The run completed, and a catch step handled a failure: {cause}. A retry runs the failed steps and the steps that depend on them. Completed catch steps do not run again."
        )),
        _ => None,
    }
}

fn find(visit: &Visit, key: &str) -> Option<RunRow> {
    visit.flow().and_then(|flow| flow.runner.find(key).ok().flatten())
}

/// `POST /console/{pipeline}/runs/{key}/{action}`: the action.
pub(crate) async fn act(
    Path((pipeline, key, name)): Path<(String, String, String)>,
    SubmittedForm { mut visit, form: EmptyForm {} }: SubmittedForm<EmptyForm>,
) -> Response {
    let (action, row) = (RunAction::parse(&name), find(&visit, &key));
    let (Some(action), Some(row)) = (action, row) else { return not_found(&mut visit) };
    let back = format!("/console/{pipeline}/runs/{}", format::part(&row.key));
    let started = audit::audit_start(&visit, action.name(), Some(&row.key), "").await;
    let (Some(flow), Some(entry)) = (visit.flow(), started) else {
        let notice = "Nothing was changed, because the audit log could not be written.";
        return visit.redirect_with(&back, Notice::bad(notice));
    };
    let notice = execute(&visit, action, &row).await;
    flow.audit_outcome(entry, &notice.text).await;
    visit.redirect_with(&back, notice)
}

/// Executes an action and returns its outcome.
async fn execute(visit: &Visit, action: RunAction, row: &RunRow) -> Notice {
    let Some(flow) = visit.flow() else { return Notice::default() };
    let key = &row.key;
    let held = match action {
        RunAction::Reveal => {
            let at = visit.index.unwrap_or_default();
            visit.session(|session| session.reveal(at, key));
            return Notice::open("Personal data is shown for 15 minutes.");
        }
        RunAction::Cancel => {
            return match flow.cancel(row).await {
                Ok(done) => match done.refused {
                    Some(refused) => Notice::bad(refused),
                    None => Notice::good(format!("{key} was cancelled.")),
                },
                Err(error) => Notice::bad(error.to_string()),
            };
        }
        RunAction::Retry => None,
        RunAction::Sent => Some(HeldDecision::Sent),
        RunAction::Resend => Some(HeldDecision::Resend),
    };
    if held.is_some() && !is_held(row) {
        return Notice::bad(format!("{key} is not held."));
    }
    if let Err(why) = flow.reload().await {
        return Notice::bad(format!("The run was not retried: {}.", with_sources(&why)));
    }
    let done = match flow.retry(row, held).await {
        Ok(done) => done,
        Err(error) => return Notice::bad(error.to_string()),
    };
    match (done.refused, done.cause) {
        (Some(refused), _) => Notice::bad(refused),
        (None, Some(cause)) if done.state == RunState::Parked => {
            Notice::bad(format!("{key} was retried and is parked again: {cause}."))
        }
        (None, Some(cause)) => Notice::bad(format!(
            "{key} was retried and completed. A catch step handled the failure again: {cause}."
        )),
        (None, None) => {
            let text = format!("{key} was retried and is now {}.", done.state.as_str());
            match done.state {
                RunState::Completed => Notice::good(text),
                RunState::Parked => Notice::bad(text),
                _ => Notice::open(text),
            }
        }
    }
}

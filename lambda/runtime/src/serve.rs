//! Connects handlers to the Runtime API of AWS Lambda.

use jiff::Timestamp;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value as Json;

use crate::branch::BranchHandler;
use crate::event::messages;
use crate::intake::IntakeHandler;
use crate::mail_events::MailEventHandler;
use crate::reconcile::ReconcileHandler;
#[cfg(feature = "refresh")]
use crate::refresh::RefreshHandler;

/// Returns the value of an environment variable that the template sets.
///
/// # Errors
/// Returns an error if the variable is not set.
#[expect(clippy::disallowed_methods, reason = "a function is configured by its environment")]
pub fn env_var(name: &str) -> Result<String, Error> {
    std::env::var(name).map_err(|_| format!("the environment variable `{name}` is not set").into())
}

/// Runs a branch for every event until the execution environment shuts down.
///
/// # Errors
/// Returns an error if the Runtime API fails.
pub async fn serve_branch(handler: BranchHandler) -> Result<(), Error> {
    let handler = &handler;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Json>| {
        let found = messages(&event.payload);
        let by_sqs = found.iter().any(|message| message.id.is_some());
        let answer = handler.event(&found, deadline(&event)).await;
        let failed = answer.get("batchItemFailures").and_then(Json::as_array);
        if !by_sqs && failed.is_some_and(|failed| !failed.is_empty()) {
            return Err(Error::from("not all orders of the event were processed"));
        }
        Ok(answer)
    }))
    .await
}

/// Records events of SES until the execution environment shuts down.
///
/// # Errors
/// Returns an error if the Runtime API fails.
pub async fn serve_mail_events(handler: MailEventHandler) -> Result<(), Error> {
    let handler = &handler;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Json>| {
        Ok::<Json, Error>(handler.event(&event.payload).await)
    }))
    .await
}

/// Searches for lost orders at every event until the execution environment shuts down.
///
/// # Errors
/// Returns an error if the Runtime API fails.
pub async fn serve_reconcile(handler: ReconcileHandler) -> Result<(), Error> {
    let handler = &handler;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Json>| {
        Ok::<Json, Error>(handler.event(deadline(&event)).await?)
    }))
    .await
}

/// Updates the exchange rates at every event until the execution environment shuts down.
///
/// # Errors
/// Returns an error if the Runtime API fails.
#[cfg(feature = "refresh")]
pub async fn serve_refresh(handler: RefreshHandler) -> Result<(), Error> {
    let handler = &handler;
    lambda_runtime::run(service_fn(async |_: LambdaEvent<Json>| {
        Ok::<Json, Error>(handler.event().await?)
    }))
    .await
}

/// Returns the deadline of the invocation.
fn deadline(event: &LambdaEvent<Json>) -> Timestamp {
    let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
    Timestamp::from_millisecond(deadline).unwrap_or(Timestamp::MAX)
}

/// Accepts orders at every event until the execution environment shuts down.
///
/// # Errors
/// Returns an error if the Runtime API fails.
pub async fn serve_intake(handler: IntakeHandler) -> Result<(), Error> {
    let handler = &handler;
    lambda_runtime::run(service_fn(async |event: LambdaEvent<Json>| {
        Ok::<Json, Error>(handler.event(&event.payload).await)
    }))
    .await
}

//! Login and logout.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_sqlite::{KeyCheck, Scope};
use serde::Deserialize;
use serde_json::json;

use super::form::{EmptyForm, SubmittedForm};
use super::page::Page;
use super::visit::{Visit, redirect, unavailable};
use crate::state::sessions::{SessionKey, Token};
use crate::state::site::Site;

/// Delay of the response to an invalid key.
const INVALID_KEY_DELAY: Duration = Duration::from_millis(500);

/// `GET /console/login`.
pub(crate) async fn show(mut visit: Visit) -> Response {
    page("", StatusCode::OK).render(&mut visit)
}

fn page(error: &str, status: StatusCode) -> Page<'static> {
    Page { status, ..Page::new("login", "Log in", "login", json!({ "error": error })) }
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    key: String,
}

/// `POST /console/login`.
pub(crate) async fn log_in(
    State(site): State<Arc<Site>>,
    SubmittedForm { mut visit, form }: SubmittedForm<LoginForm>,
) -> Response {
    let found = site.flows.iter().find_map(|flow| {
        let keys = flow.keys.current().ok()?;
        match keys.check(form.key.trim(), Scope::Admin) {
            KeyCheck::Valid { id, name } => Some((flow, SessionKey { id, name })),
            KeyCheck::InsufficientScope | KeyCheck::Unknown => None,
        }
    });
    let Some((flow, key)) = found else {
        tokio::time::sleep(INVALID_KEY_DELAY).await;
        let error = "This is not an admin key of this server.";
        return page(error, StatusCode::FORBIDDEN).render(&mut visit);
    };
    // The login starts a new session, because others may know the token of the first one.
    let Some(token) = Token::new() else {
        return page("The system cannot generate random numbers.", StatusCode::SERVICE_UNAVAILABLE)
            .render(&mut visit);
    };
    let requested_path = visit.session(|session| session.requested_path.take()).flatten();
    let stored = tokio::task::block_in_place(|| {
        flow.stored_sessions.begin(&token.digest(), &key.id, SystemClock.now())
    });
    if stored.and_then(|()| site.end_session(&visit.token)).is_err() {
        let error = "The session could not be stored. Try again in a moment.";
        return page(error, StatusCode::SERVICE_UNAVAILABLE).render(&mut visit);
    }
    site.sessions.begin(&token, Some(key));
    // A page of another pipeline requires another key.
    let home = format!("/console/{}/", flow.plan().name());
    let path = requested_path.filter(|path| path.starts_with(&home)).unwrap_or(home);
    let mut response = redirect(&path);
    if let Ok(cookie) = HeaderValue::from_str(&site.sessions.cookie(&token, site.uses_tls)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `POST /console/logout`.
pub(crate) async fn log_out(
    State(site): State<Arc<Site>>,
    SubmittedForm { visit, form: EmptyForm {} }: SubmittedForm<EmptyForm>,
) -> Response {
    match site.end_session(&visit.token) {
        Ok(()) => redirect("/console/login"),
        // The session is still valid, so the user must see an error.
        Err(_) => unavailable(),
    }
}

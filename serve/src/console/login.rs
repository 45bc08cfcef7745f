//! Login and logout.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_sqlite::{Found, Scope};
use serde::Deserialize;
use serde_json::json;

use super::form::{Nothing, Sent};
use super::guard::{Visit, to, unavailable};
use super::pages::Page;
use crate::state::sessions::{SessionKey, Token};
use crate::state::site::Site;

/// Delay of the response to an invalid key.
const WRONG: Duration = Duration::from_millis(500);

/// `GET /console/login`.
pub(crate) async fn show(mut visit: Visit) -> Response {
    page("", StatusCode::OK).of(&mut visit)
}

fn page(error: &str, status: StatusCode) -> Page<'static> {
    Page { status, ..Page::new("login", "Log in", "login", json!({ "error": error })) }
}

#[derive(Deserialize)]
pub(crate) struct Key {
    key: String,
}

/// `POST /console/login`.
pub(crate) async fn log_in(
    State(site): State<Arc<Site>>,
    Sent { mut visit, form }: Sent<Key>,
) -> Response {
    let found = site.flows.iter().find_map(|flow| {
        let keys = flow.keys.current().ok()?;
        match keys.find(form.key.trim(), Scope::Admin) {
            Found::Allowed { id, name } => Some((flow, SessionKey { id, name })),
            Found::OtherScope | Found::Unknown => None,
        }
    });
    let Some((flow, key)) = found else {
        tokio::time::sleep(WRONG).await;
        let error = "This is not an admin key of this server.";
        return page(error, StatusCode::FORBIDDEN).of(&mut visit);
    };
    // The login starts a new session, because others may know the token of the first one.
    let Some(token) = Token::new() else {
        return page("The system cannot generate random numbers.", StatusCode::SERVICE_UNAVAILABLE)
            .of(&mut visit);
    };
    let wanted = visit.session(|session| session.wanted.take()).flatten();
    let kept = tokio::task::block_in_place(|| {
        flow.kept.begin(&token.digest(), &key.id, SystemClock.now())
    });
    if kept.and_then(|()| site.end_session(&visit.token)).is_err() {
        let error = "The session could not be stored. Try again in a moment.";
        return page(error, StatusCode::SERVICE_UNAVAILABLE).of(&mut visit);
    }
    site.sessions.begin(&token, Some(key));
    // A page of another pipeline requires another key.
    let home = format!("/console/{}/", flow.plan().name());
    let wanted = wanted.filter(|wanted| wanted.starts_with(&home)).unwrap_or(home);
    let mut response = to(&wanted);
    if let Ok(cookie) = HeaderValue::from_str(&site.sessions.cookie(&token, site.private)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `POST /console/logout`.
pub(crate) async fn log_out(
    State(site): State<Arc<Site>>,
    Sent { visit, form: Nothing {} }: Sent<Nothing>,
) -> Response {
    match site.end_session(&visit.token) {
        Ok(()) => to("/console/login"),
        // The session is still valid, so the user must see an error.
        Err(_) => unavailable(),
    }
}

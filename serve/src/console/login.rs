//! Beginning and ending a session.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::Response;
use oms_local::{Found, Scope};
use serde::Deserialize;
use serde_json::json;

use super::form::{Nothing, Sent};
use super::guard::{Visit, to};
use super::pages::Page;
use crate::site::Site;

/// How long somebody waits who sent a key that is none.
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
            Found::Allowed { id, name } => Some((id, name, flow.plan().name().to_string())),
            Found::OtherScope | Found::Unknown => None,
        }
    });
    let Some((id, name, pipeline)) = found else {
        tokio::time::sleep(WRONG).await;
        let error = "This is no admin key of this server.";
        return page(error, StatusCode::FORBIDDEN).of(&mut visit);
    };
    // Another session, so that nobody has it who had the first one.
    site.sessions.end(&visit.token);
    let Some(token) = site.sessions.begin(Some((id, name))) else {
        return page("The system has no randomness.", StatusCode::SERVICE_UNAVAILABLE)
            .of(&mut visit);
    };
    let mut response = to(&format!("/console/{pipeline}/"));
    if let Ok(cookie) = HeaderValue::from_str(&token.cookie(site.private)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// `POST /console/logout`.
pub(crate) async fn log_out(
    State(site): State<Arc<Site>>,
    Sent { visit, form: Nothing {} }: Sent<Nothing>,
) -> Response {
    site.sessions.end(&visit.token);
    to("/console/login")
}

//! Health, and answers to what nobody serves.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use oms_engine::intake::Reply;
use serde_json::json;

use crate::reply::{plain, respond};
use crate::site::Site;

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> Response {
    respond(&Reply { status: 200, body: json!({ "status": "ok" }) })
}

/// `GET /readyz`: orders are taken in.
pub(crate) async fn ready(State(site): State<Arc<Site>>) -> Response {
    let works = site.flows.iter().all(|flow| !flow.work.is_closed());
    match works && !site.is_stopping() {
        true => respond(&Reply { status: 200, body: json!({ "status": "ready" }) }),
        false => respond(&Reply::unavailable()),
    }
}

/// What no path leads to.
pub(crate) async fn nothing() -> Response {
    respond(&plain(StatusCode::NOT_FOUND))
}

/// What is not done with a path.
pub(crate) async fn not_so() -> Response {
    respond(&plain(StatusCode::METHOD_NOT_ALLOWED))
}

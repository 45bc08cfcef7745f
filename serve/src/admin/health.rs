//! Health checks.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use oms_engine::intake::Reply;
use serde_json::json;

use crate::http::reply::respond;
use crate::state::site::Site;

/// `GET /healthz`: the process responds.
pub(crate) async fn live() -> Response {
    respond(&Reply { status: 200, body: json!({ "status": "ok" }) })
}

/// `GET /readyz`: the server accepts orders.
pub(crate) async fn ready(State(site): State<Arc<Site>>) -> Response {
    let is_running = site.flows.iter().all(|flow| !flow.queue.is_closed());
    match is_running && !site.is_stopping() {
        true => respond(&Reply { status: 200, body: json!({ "status": "ready" }) }),
        false => respond(&Reply::unavailable()),
    }
}

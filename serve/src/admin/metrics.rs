//! `GET /metrics`.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, VARY};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use oms_engine::run::RunState;
use oms_sqlite::Scope;

use crate::http::reply::respond;
use crate::state::authorization::authorize;
use crate::state::site::Site;
use crate::telemetry::metrics_format::MetricsFormat;

/// `GET /metrics`: the metrics of the pipelines that the caller may access. Requests are counted
/// for all pipelines together, so only callers with access to all pipelines see these counts.
pub(crate) async fn show(State(site): State<Arc<Site>>, headers: HeaderMap) -> Response {
    let mut admitting = Vec::new();
    let mut refused = None;
    for flow in &site.flows {
        match authorize(&site, flow, &headers, Scope::Intake) {
            Ok(_) => admitting.push(flow),
            Err(reply) => refused = refused.or(Some(reply)),
        }
    }
    if let (true, Some(refused)) = (admitting.is_empty(), &refused) {
        return respond(refused);
    }
    for flow in &admitting {
        let pipeline = flow.plan().name().to_string();
        site.metrics.set_queued(&pipeline, flow.queued());
        let Ok(open) = flow.runner.count_open() else { continue };
        for state in [RunState::InProgress, RunState::Waiting, RunState::Parked] {
            let count = open.iter().find(|(of, _)| *of == state).map_or(0, |(_, count)| *count);
            site.metrics.set_open(&pipeline, state, count);
        }
    }
    let Ok(text) = site.metrics.encode() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let names: Vec<String> = admitting.iter().map(|flow| flow.plan().name().to_string()).collect();
    let shown = |pipeline: Option<&str>| match pipeline {
        Some(pipeline) => names.iter().any(|name| name == pipeline),
        None => refused.is_none(),
    };
    let format = MetricsFormat::preferred(&headers);
    let text = format.convert(&text, shown);
    ([(CONTENT_TYPE, format.media_type()), (VARY, "Accept")], text).into_response()
}

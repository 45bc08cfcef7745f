//! The state of an order: `GET` under its key.

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use axum::response::Response;
use oms_engine::intake::Reply;
use oms_engine::value::format_timestamp;
use oms_sqlite::Scope;
use serde_json::json;

use super::accept::invalid_key;
use crate::http::reply::{respond, status_problem};
use crate::state::authorization::authorize;
use crate::state::site::FlowRef;

/// `GET /path/{key}`: the state of an order.
pub(crate) async fn show(
    State(flow_ref): State<FlowRef>,
    name: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    let Some(flow) = flow_ref.flow() else {
        return respond(&status_problem(StatusCode::NOT_FOUND));
    };
    if let Err(refused) = authorize(&flow_ref.site, flow, &headers, Scope::Intake) {
        return respond(&refused);
    }
    let Ok(Path(name)) = name else { return invalid_key() };
    match flow.runner.find(&name) {
        Ok(Some(row)) => {
            let body = json!({
                "key": row.key,
                "run": oms_engine::run::run_id(flow.plan().name(), &row.key),
                "state": row.state,
                "accepted_at": format_timestamp(row.accepted_at),
                "updated_at": format_timestamp(row.updated_at),
                "cause": row.cause,
                "caught": row.caught,
            });
            respond(&Reply { status: 200, body })
        }
        Ok(None) => respond(&status_problem(StatusCode::NOT_FOUND)),
        Err(_) => respond(&Reply::unavailable()),
    }
}

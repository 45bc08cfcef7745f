//! The routes of the console.

use std::sync::Arc;

use axum::Router;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::IntoResponse as _;
use axum::routing::{get, post};

use super::guard::to;
use super::{actions, audit, login, overview, pages, parked, pipeline, run, runs};
use crate::state::site::Site;

/// The `Cache-Control` of the style sheet and the script. They change with the program, so browsers check them on each use.
const KEPT: &str = "no-cache";

pub(crate) fn routes(site: &Arc<Site>) -> Router {
    let file = |kind: &'static str, text: &'static str| {
        get(
            move || async move { ([(CONTENT_TYPE, kind), (CACHE_CONTROL, KEPT)], text).into_response() },
        )
    };
    let names = site.flows.iter().map(|flow| flow.plan().name().to_string());
    let first = format!("/console/{}/", names.into_iter().next().unwrap_or_default());
    let home = get(move || async move { to(&first) });
    Router::new()
        .route("/", home.clone())
        .route("/console", home.clone())
        .route("/console/", home)
        .route("/console/console.css", file("text/css; charset=utf-8", pages::STYLE))
        .route("/console/console.js", file("text/javascript; charset=utf-8", pages::SCRIPT))
        .route("/console/login", get(login::show).post(login::log_in))
        .route("/console/logout", post(login::log_out))
        .route("/console/{pipeline}/", get(overview::show))
        .route("/console/{pipeline}/live", get(overview::live))
        .route("/console/{pipeline}/runs", get(runs::show).post(runs::of_customer))
        .route("/console/{pipeline}/runs/{key}", get(run::show))
        .route("/console/{pipeline}/runs/{key}/mail/{number}", get(run::mail))
        .route("/console/{pipeline}/runs/{key}/{deed}", get(actions::ask).post(actions::act))
        .route("/console/{pipeline}/parked", get(parked::show))
        .route("/console/{pipeline}/parked/live", get(parked::live))
        .route("/console/{pipeline}/parked/retry", get(parked::ask).post(parked::retry))
        .route("/console/{pipeline}/pipeline", get(pipeline::show))
        .route("/console/{pipeline}/mail/{template}/{locale}", get(pipeline::mail))
        .route("/console/{pipeline}/audit", get(audit::show))
        .with_state(Arc::clone(site))
}

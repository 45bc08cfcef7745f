//! The routes of the server. Only this file knows all pages and endpoints.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{MethodRouter, get, post, put};

use super::middleware;
use crate::admin::{health, metrics};
use crate::console::{
    actions, assets, audit, login, not_found, overview, parked, pipeline, redirect, run, runs,
};
use crate::http::reply::{respond, status_problem};
use crate::intake::{accept, openapi, status};
use crate::state::site::{FlowRef, Site};

/// The `Cache-Control` of the style sheet and the script. They change with the program, so browsers
/// check them on each use.
const ASSET_CACHE: &str = "no-cache";

/// Returns all routes of a site.
pub(super) fn routes(site: &Arc<Site>) -> Router {
    let mut router = Router::new()
        .route("/healthz", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(metrics::show))
        .route("/openapi.json", get(openapi::show))
        .with_state(Arc::clone(site));
    for (index, flow) in site.flows.iter().enumerate() {
        let plan = flow.plan();
        let Some(section) = plan.intake() else { continue };
        let mut orders = Router::new().route(section.collection(), post(accept::post));
        if section.has_key() {
            orders = orders.route(&section.path, put(accept::put).get(status::show));
        }
        router = router.merge(orders.with_state(FlowRef::new(Arc::clone(site), index)));
    }
    let fallback = |status| {
        let site = Arc::clone(site);
        async move |request: Request| unknown(&site, &request, status)
    };
    router
        .merge(console(site))
        .fallback(fallback(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(fallback(StatusCode::METHOD_NOT_ALLOWED))
        .layer(from_fn_with_state(Arc::clone(site), middleware::record))
}

/// Returns the response to a request for an unknown path, or with a method that the path does not
/// support.
fn unknown(site: &Arc<Site>, request: &Request, status: StatusCode) -> Response {
    match request.uri().path() {
        path if not_found::is_console(path) => not_found::show(site, request, status),
        _ => respond(&status_problem(status)),
    }
}

fn console(site: &Arc<Site>) -> Router {
    let names = site.flows.iter().map(|flow| flow.plan().name().to_string());
    let first = format!("/console/{}/", names.into_iter().next().unwrap_or_default());
    let home = get(move || async move { redirect(&first) });
    Router::new()
        .route("/", home.clone())
        .route("/console", home.clone())
        .route("/console/", home)
        .route("/console/console.css", asset("text/css; charset=utf-8", assets::STYLE))
        .route("/console/console.js", asset("text/javascript; charset=utf-8", assets::SCRIPT))
        .route("/console/login", get(login::show).post(login::log_in))
        .route("/console/logout", post(login::log_out))
        .route("/console/{pipeline}/", get(overview::show))
        .route("/console/{pipeline}/live", get(overview::live))
        .route("/console/{pipeline}/runs", get(runs::show).post(runs::search_customers))
        .route("/console/{pipeline}/runs/{key}", get(run::show))
        .route("/console/{pipeline}/runs/{key}/mail/{number}", get(run::mail))
        .route("/console/{pipeline}/runs/{key}/{action}", get(actions::confirm).post(actions::act))
        .route("/console/{pipeline}/parked", get(parked::show))
        .route("/console/{pipeline}/parked/live", get(parked::live))
        .route("/console/{pipeline}/parked/retry", get(parked::confirm).post(parked::retry))
        .route("/console/{pipeline}/pipeline", get(pipeline::show))
        .route("/console/{pipeline}/mail/{template}/{locale}", get(pipeline::mail))
        .route("/console/{pipeline}/audit", get(audit::show))
        .with_state(Arc::clone(site))
}

fn asset(kind: &'static str, text: &'static str) -> MethodRouter<Arc<Site>> {
    let headers = [(CONTENT_TYPE, kind), (CACHE_CONTROL, ASSET_CACHE)];
    get(move || async move { (headers, text).into_response() })
}

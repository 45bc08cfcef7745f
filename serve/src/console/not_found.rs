//! Error pages for unknown paths and unsupported methods below `/console`.

use std::sync::Arc;

use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::Response;

use super::page::Page;
use super::visit::Visit;
use crate::state::site::Site;

/// Returns whether a path belongs to the console.
pub(crate) fn is_console(path: &str) -> bool {
    path == "/console" || path.starts_with("/console/")
}

/// Returns the error page for an unknown path or an unsupported method.
pub(crate) fn show(site: &Arc<Site>, request: &Request, status: StatusCode) -> Response {
    let path = request.uri().path();
    let (message, help) = match status {
        StatusCode::METHOD_NOT_ALLOWED => (
            format!("This page does not support {}", request.method()),
            "Open the page with a link or in the address bar.",
        ),
        _ => ("This page does not exist".to_owned(), "Check the address."),
    };
    let name = path.split('/').nth(2).unwrap_or_default();
    let is_served = site.flows.iter().any(|flow| **flow.plan().name() == *name);
    if !is_served {
        return Page::error(status, &message, help).render_without_session();
    }
    match Visit::enter(site, Some(name), request.headers(), None) {
        Ok(mut visit) => Page::error(status, &message, help).render(&mut visit),
        Err(refused) => *refused,
    }
}

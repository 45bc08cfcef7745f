//! The middleware of all requests: an id, response headers, a count, and a line in the access log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::extract::{MatchedPath, Request, State};
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, HOST, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use axum::middleware::Next;
use axum::response::Response;
use oms_engine::intake::{Conflict, Reply};
use serde_json::json;

use crate::http::origin::require_this_machine;
use crate::http::reply::{respond, status_problem};
use crate::state::site::Site;
use crate::telemetry::log::timestamp;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Maximum length of an id that is accepted from the client.
const ID_CHARS_MAX: usize = 64;

static NEXT_NUMBER: AtomicU64 = AtomicU64::new(1);

/// Returns the client's id if it is valid, or else a new one from the process id and a number.
fn request_id(request: &Request) -> HeaderValue {
    let plain = |value: &&HeaderValue| {
        let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let bytes = value.as_bytes();
        !bytes.is_empty() && bytes.len() <= ID_CHARS_MAX && bytes.iter().all(plain)
    };
    match request.headers().get(&REQUEST_ID).filter(plain) {
        Some(given) => given.clone(),
        None => {
            let number = NEXT_NUMBER.fetch_add(1, Ordering::Relaxed);
            let text = format!("{:x}-{number:x}", std::process::id());
            HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("-"))
        }
    }
}

/// Rejects a request with contradictory hosts (RFC 9112, section 3.2). A server without API keys
/// also rejects a request for a host other than this machine, and a request that a proxy forwarded.
fn reject_host(site: &Site, request: &Request) -> Option<Reply> {
    let headers = request.headers();
    let mut hosts = headers.get_all(HOST).iter();
    let (host, second) = (hosts.next(), hosts.next());
    let named = request.uri().authority().map(|authority| authority.as_str().as_bytes());
    let agree = named.is_none() || named == host.map(HeaderValue::as_bytes);
    if second.is_some() || !agree {
        return Some(status_problem(StatusCode::BAD_REQUEST));
    }
    if site.needs_no_key() { require_this_machine(headers).err() } else { None }
}

/// Serves a request and records it.
pub(crate) async fn record(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    let id = request_id(&request);
    let begun = tokio::time::Instant::now();
    let method = request.method().clone();
    // The path of the route. The requested path may contain keys or arbitrary text.
    let path = request.extensions().get::<MatchedPath>().cloned();
    let mut response = match reject_host(&site, &request) {
        Some(reply) => respond(&reply),
        None => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.clone());
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    site.metrics.count_request(response.status());
    if let Some(log) = &site.log {
        let mut line = json!({
            "timestamp": timestamp(),
            "level": "info",
            "message": "request",
            "id": id.to_str().unwrap_or_default(),
            "method": method.as_str(),
            "path": path.as_ref().map(MatchedPath::as_str),
            "status": response.status().as_u16(),
            "micros": u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX),
        });
        if let Some(conflict) = response.extensions().get::<Conflict>() {
            // The pointers are not logged: the sender chose the names of the members, and they may
            // be personal data.
            line["conflict"] = json!({ "key": conflict.key, "run": conflict.run });
        }
        log.write(&line);
    }
    response
}

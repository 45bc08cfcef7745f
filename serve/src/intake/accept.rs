//! Accepting orders: `PUT` under a key, and `POST` with the key in the body, such as webhooks.

use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::header::{CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use oms_engine::intake::{Reply, SignatureVerifier};
use oms_engine::plan::valid_key;
use oms_runtime::{Order, OrderReply, Work};
use oms_sqlite::Scope;
use serde_json::json;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::{wait, webhook};
use crate::http::body::{BodyMemory, receive};
use crate::http::reply::{respond, status_problem};
use crate::state::authorization::authorize;
use crate::state::flow::Flow;
use crate::state::site::{FlowRef, Site};

/// The header with the key of an order whose body has none
/// (draft-ietf-httpapi-idempotency-key-header).
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Maximum time until an order is on disk. It is exceeded if another process locks the database, or
/// if all runs are stalled and the backlog is full.
const ACCEPT_TIMEOUT: Duration = Duration::from_secs(30);

/// `PUT /path/{key}`: the last segment of the path is the order's key.
pub(crate) async fn put(
    State(flow): State<FlowRef>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Response {
    let Ok(Path(name)) = name else { return invalid_key() };
    respond_to_order(&flow, Some(name), request).await
}

/// `POST /path`: the order's key is in its body or in the header `Idempotency-Key`.
pub(crate) async fn post(State(flow): State<FlowRef>, request: Request) -> Response {
    respond_to_order(&flow, None, request).await
}

pub(super) fn invalid_key() -> Response {
    let code = oms_engine::diagnostic::codes::ORDER_KEY_REJECTED;
    respond(&Reply::problem(400, &code.to_string(), code.title()))
}

async fn respond_to_order(flow_ref: &FlowRef, name: Option<String>, request: Request) -> Response {
    let Some(flow) = flow_ref.flow() else {
        return respond(&status_problem(StatusCode::NOT_FOUND));
    };
    let (parts, body) = request.into_parts();
    let response = match accept(&flow_ref.site, flow, name, &parts, body).await {
        Ok(response) => response,
        // The ping of a webhook is not an order.
        Err(reply) if reply == Reply::pong() => return respond(&reply),
        Err(reply) => respond(&reply),
    };
    flow.metrics.count_order(response.status());
    response
}

/// Receives an order and waits until it is on disk.
async fn accept(
    site: &Site,
    flow: &Flow,
    name: Option<String>,
    parts: &Parts,
    body: Body,
) -> Result<Response, Reply> {
    let headers = &parts.headers;
    let name_must_equal_key = name.is_some();
    let (name, body, _memory) = match &flow.verifier {
        Some(verifier) if !name_must_equal_key => {
            receive_webhook(site, flow, verifier, headers, body).await?
        }
        _ => receive_order(site, flow, name, headers, body).await?,
    };
    let wait = wait::requested(headers);
    let begun = tokio::time::Instant::now();
    let (reply_sender, reply_receiver) = oneshot::channel();
    let order = Order { name, body, name_must_equal_key, reply: Some(reply_sender) };
    match flow.queue.try_send(Work::Order(order)) {
        Ok(()) => {}
        Err(TrySendError::Full(_)) => return Err(Reply::busy()),
        Err(TrySendError::Closed(_)) => return Err(Reply::unavailable()),
    }
    // After a timeout, the order may be on disk. Sending it again is safe, because the server then
    // finds it.
    let order_reply = tokio::time::timeout(ACCEPT_TIMEOUT, reply_receiver)
        .await
        .map_err(|_| Reply::unavailable())?;
    let order_reply = order_reply.map_err(|_| Reply::unavailable())?;
    flow.metrics.record_acceptance(begun.elapsed());
    let (mut reply, key) = match order_reply {
        OrderReply::Accepted { key, run, .. } => (Reply::accepted(&key, &run), key),
        OrderReply::Duplicate { key, run } => (Reply::same(&key, &run), key),
        OrderReply::Conflict(conflict) => {
            let mut response = respond(&Reply::conflict(&conflict));
            response.extensions_mut().insert(conflict);
            return Ok(response);
        }
        OrderReply::Rejected { rejection, body } => {
            return Err(Reply::rejected(&rejection, &body));
        }
    };
    let applied = match wait {
        Some(wait) => wait::until_ended(site, flow, parts.extensions.get(), &key, wait).await,
        None => None,
    };
    if let (Some(row), Some(members)) = (&applied, reply.body.as_object_mut()) {
        members.insert("state".to_owned(), json!(row.state));
        members.insert("cause".to_owned(), json!(row.cause));
        members.insert("caught".to_owned(), json!(row.caught));
    }
    let mut response = respond(&reply);
    let plan = flow.plan();
    // All characters of a key are valid in a path.
    let location = plan.intake().filter(|intake| intake.has_key());
    let location = location.map(|intake| intake.path.replace("{key}", &key));
    if let Some(Ok(location)) = location.map(|location| HeaderValue::from_str(&location)) {
        response.headers_mut().insert(LOCATION, location);
    }
    if let Some(wait) = wait.filter(|_| applied.is_some()) {
        response.headers_mut().insert("preference-applied", wait::applied(wait));
    }
    Ok(response)
}

/// The name of an order, its bytes, and the memory that is reserved for them.
type Received = (String, Vec<u8>, BodyMemory);

/// Receives an order from a client with an API key.
async fn receive_order(
    site: &Site,
    flow: &Flow,
    name: Option<String>,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, Reply> {
    authorize(site, flow, headers, Scope::Intake)?;
    if site.is_stopping() {
        return Err(Reply::unavailable());
    }
    if name.is_none() {
        webhook::select(flow.accept.as_ref(), headers)?;
    }
    require_plain_json(headers)?;
    let name = match name {
        Some(name) => name,
        None => from_header(flow, headers)?,
    };
    let max = flow.plan().order().max_bytes();
    let (body, memory) = receive(&site.body_memory, body, max).await?;
    Ok((name, body, memory))
}

/// Receives a webhook and verifies its signature. The headers are checked afterwards, so that a
/// request without a valid signature always gets the same reply. The order has no name, because the
/// signature does not cover the header with it.
async fn receive_webhook(
    site: &Site,
    flow: &Flow,
    verifier: &SignatureVerifier,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, Reply> {
    if site.is_stopping() {
        return Err(Reply::unavailable());
    }
    let max = flow.plan().order().max_bytes();
    let received = webhook::receive_signed(verifier, &site.body_memory, headers, body, max);
    let (body, memory) = received.await?;
    webhook::select(flow.accept.as_ref(), headers)?;
    require_plain_json(headers)?;
    Ok((String::new(), body, memory))
}

fn require_plain_json(headers: &HeaderMap) -> Result<(), Reply> {
    if !is_json(headers) {
        return Err(status_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            .detailed("send the order as `application/json`"));
    }
    if !has_no_content_coding(headers) {
        return Err(status_problem(StatusCode::UNSUPPORTED_MEDIA_TYPE)
            .detailed("send the order uncompressed, without `Content-Encoding`"));
    }
    Ok(())
}

/// Returns whether the content type is JSON. A page of another site cannot send such a request
/// without a preflight (Fetch, "CORS-safelisted request-header").
fn is_json(headers: &HeaderMap) -> bool {
    let Some(kind) = headers.get(CONTENT_TYPE) else { return false };
    let kind = kind.to_str().unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json"))
}

/// Returns whether the body has no content coding (RFC 9110, 8.4.1).
fn has_no_content_coding(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(CONTENT_ENCODING).iter();
    codings.into_iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"identity"))
}

/// Returns the name of an order whose path has none: the header's value. The header is required if
/// the order's key is not in its body.
fn from_header(flow: &Flow, headers: &HeaderMap) -> Result<String, Reply> {
    let is_name = flow.plan().order().key_is_name();
    let given = headers.get(IDEMPOTENCY_KEY).and_then(|value| value.to_str().ok());
    // In structured fields (RFC 9651), a string has quotes, but many clients omit them.
    let given = given.map(|text| text.trim().trim_matches('"').to_owned());
    match given {
        Some(name) if !is_name || valid_key(&name).is_ok() => Ok(name),
        None if !is_name => Ok(String::new()),
        _ => {
            let detail = "the order does not contain its key: send it with `PUT` and the key in the path, or send the key in the header `Idempotency-Key`";
            let code = oms_engine::diagnostic::codes::ORDER_KEY_REJECTED;
            Err(Reply::problem(400, &code.to_string(), code.title()).detailed(detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_without_a_content_coding_is_accepted() {
        let of = |name, value: &'static str| {
            HeaderMap::from_iter([(name, HeaderValue::from_static(value))])
        };
        for kind in ["application/json", "Application/JSON; charset=utf-8", "application/x+json"] {
            assert!(is_json(&of(CONTENT_TYPE, kind)), "{kind}");
        }
        for kind in ["text/plain", "application/jsonl", "text/x+json", ""] {
            assert!(!is_json(&of(CONTENT_TYPE, kind)), "{kind}");
        }
        assert!(!is_json(&HeaderMap::new()));
        assert!(has_no_content_coding(&HeaderMap::new()));
        assert!(has_no_content_coding(&of(CONTENT_ENCODING, "Identity")));
        assert!(!has_no_content_coding(&of(CONTENT_ENCODING, "gzip")));
    }
}

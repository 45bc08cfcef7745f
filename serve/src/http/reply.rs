//! HTTP responses.

use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CONNECTION, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use oms_engine::intake::Reply;

/// Converts a reply to a response.
pub(crate) fn respond(reply: &Reply) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if reply.body.is_null() {
        return status.into_response();
    }
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(reply.media_type()));
    if let Some(seconds) = reply.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    match status {
        StatusCode::UNAUTHORIZED => {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        // The accepted types (RFC 9110, 15.5.16).
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
            headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        // The rest of the body is not read.
        StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT => {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        _ => {}
    }
    (status, headers, reply.body.to_string()).into_response()
}

/// Returns a problem of the type `about:blank`, which only its status describes (RFC 9457, section
/// 4.2.1).
pub(crate) fn status_problem(status: StatusCode) -> Reply {
    let title = status.canonical_reason().unwrap_or_default();
    let mut reply = Reply::problem(status.as_u16(), "", title);
    if let Some(members) = reply.body.as_object_mut() {
        members.insert("type".to_owned(), "about:blank".into());
    }
    reply
}

//! What is known about a request after an error.

use std::error::Error;

use oms_core::effects::{CallError, CallErrorKind};

/// Returns what is known about a request that failed.
pub(crate) fn call_error(error: &reqwest::Error) -> CallError {
    // A connection includes the TLS handshake, before which nothing of a request is sent.
    let kind = match error.is_connect() {
        true => CallErrorKind::NotSent,
        false if error.is_builder() => CallErrorKind::Environment,
        false => CallErrorKind::Lost,
    };
    let what = match kind {
        CallErrorKind::NotSent => "cannot connect",
        CallErrorKind::Environment => "invalid request",
        _ if error.is_timeout() => "the request exceeded its timeout",
        _ => "the connection was lost",
    };
    CallError { kind, message: format!("{what}{}", reason(error)) }
}

/// Returns the innermost error, after a colon. The outer ones contain the URL.
fn reason(error: &reqwest::Error) -> String {
    let mut innermost: Option<&dyn Error> = None;
    let mut source = error.source();
    while let Some(inner) = source {
        innermost = Some(inner);
        source = inner.source();
    }
    innermost.map(|inner| format!(": {inner}")).unwrap_or_default()
}

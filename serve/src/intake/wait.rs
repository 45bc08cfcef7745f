//! `Prefer: wait=N` (RFC 7240): a response that waits until the run has ended.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use oms_engine::run::RunState;
use oms_sqlite::RunRow;

use crate::http::peer::Peer;
use crate::state::flow::Flow;
use crate::state::site::Site;

/// Maximum wait in seconds. Longer waits are shortened to it.
const WAIT_MAX: u64 = 60;
/// Interval at which a waiting request reads the state of its run. A retry or a cancellation does
/// not wake the request.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Returns the wait in seconds that the client asks for.
pub(super) fn requested(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    preferences.find_map(|preference| {
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        is_wait.then(|| value.trim().trim_matches('"').parse().ok()).flatten()
    })
}

/// Returns the value of the header `Preference-Applied`.
pub(super) fn applied(seconds: u64) -> HeaderValue {
    let text = format!("wait={}", seconds.min(WAIT_MAX));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("wait"))
}

/// Waits until the run has ended or is parked, the time is up, the client has left, or the server
/// shuts down. Returns the run in its current state.
pub(super) async fn until_ended(
    site: &Site,
    flow: &Flow,
    peer: Option<&Peer>,
    key: &str,
    seconds: u64,
) -> Option<RunRow> {
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds.min(WAIT_MAX));
    loop {
        let notify = flow.waiting_requests.join(key);
        let mut ended = Box::pin(Arc::clone(&notify).notified_owned());
        ended.as_mut().enable();
        let row = flow.runner.find(key).ok().flatten();
        let is_open = row
            .as_ref()
            .is_some_and(|row| matches!(row.state, RunState::InProgress | RunState::Waiting));
        // At the connection limit, requests do not wait, because their clients may have
        // disconnected.
        if !is_open
            || site.is_stopping()
            || site.connections.is_reached()
            || peer.is_some_and(Peer::is_disconnected)
            || tokio::time::Instant::now() >= end
        {
            drop(ended);
            flow.waiting_requests.leave(key, notify);
            return row;
        }
        let _polls_again = tokio::time::timeout(POLL_INTERVAL, ended).await;
        flow.waiting_requests.leave(key, notify);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_found_among_other_preferences() {
        let of = |value: &'static str| {
            requested(&HeaderMap::from_iter([(
                axum::http::HeaderName::from_static("prefer"),
                HeaderValue::from_static(value),
            )]))
        };
        assert_eq!(of("wait=5"), Some(5));
        assert_eq!(of("respond-async, Wait = \"10\" ; x=1"), Some(10));
        assert_eq!(of("wait=-1"), None);
        assert_eq!(of("return=minimal"), None);
    }
}

//! `Prefer: wait=N` (RFC 7240): an answer that waits until the run has ended.

use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use oms_engine::run::RunState;
use oms_local::RunRow;

use crate::flow::Flow;

/// Seconds that an answer waits at the most, whatever is asked for.
const WAIT_MAX: u64 = 60;
/// Between two looks at a run.
const LOOK: Duration = Duration::from_millis(25);

/// Returns how long the caller wants to wait, if it does.
pub(crate) fn wanted(headers: &HeaderMap) -> Option<u64> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let mut preferences = values.flat_map(|value| value.split(','));
    preferences.find_map(|preference| {
        let preference = preference.split(';').next().unwrap_or_default();
        let (name, value) = preference.split_once('=')?;
        let is_wait = name.trim().eq_ignore_ascii_case("wait");
        is_wait.then(|| value.trim().trim_matches('"').parse().ok()).flatten()
    })
}

/// Says that it was waited.
pub(crate) fn applied(seconds: u64) -> HeaderValue {
    let text = format!("wait={}", seconds.min(WAIT_MAX));
    HeaderValue::from_str(&text).unwrap_or_else(|_| HeaderValue::from_static("wait"))
}

/// Waits until a run has ended or is parked, but not for longer than that; returns how far it is.
pub(crate) async fn until_ended(flow: &Flow, key: &str, seconds: u64) -> Option<RunRow> {
    let end = tokio::time::Instant::now() + Duration::from_secs(seconds.min(WAIT_MAX));
    loop {
        let row = flow.runner.find(key).ok().flatten()?;
        let open = matches!(row.state, RunState::InProgress | RunState::Waiting);
        if !open || tokio::time::Instant::now() >= end {
            return Some(row);
        }
        tokio::time::sleep(LOOK).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_one_preference_among_others() {
        let of = |value: &'static str| {
            wanted(&HeaderMap::from_iter([(
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

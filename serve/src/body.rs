//! Receiving an order's bytes: no more than it may have, not for longer than it may take, and not more at once than there is room for.

use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use oms_engine::intake::Reply;
use tokio::sync::OwnedSemaphorePermit;

use crate::flow::Flow;
use crate::reply::plain;
use crate::site::Site;

/// How long an order may take to come in.
const RECEIVE: Duration = Duration::from_secs(20);

/// Receives a body; the second part of the answer keeps room for it until it is dropped.
pub(crate) async fn receive(
    site: &Site,
    flow: &Flow,
    body: Body,
) -> Result<(Vec<u8>, OwnedSemaphorePermit), Reply> {
    let max = flow.plan().order().max_bytes();
    let hint = body.size_hint();
    let said = usize::try_from(hint.lower()).unwrap_or(usize::MAX);
    if said > max {
        return Err(Reply::too_large(max));
    }
    let most = hint.upper().and_then(|most| usize::try_from(most).ok()).unwrap_or(max).min(max);
    let kib = u32::try_from(most / 1_024 + 1).unwrap_or(u32::MAX);
    let Ok(room) = std::sync::Arc::clone(&site.receiving).try_acquire_many_owned(kib) else {
        return Err(Reply::busy());
    };
    let whole = Limited::new(body, max).collect();
    match tokio::time::timeout(RECEIVE, whole).await {
        Ok(Ok(whole)) => Ok((whole.to_bytes().into(), room)),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(Reply::too_large(max)),
        // The body ended before its length, or its chunks are none.
        Ok(Err(error)) => {
            let why = error.to_string();
            let reply = Reply::problem(400, "body", "the body could not be received");
            Err(reply.detailed(&why))
        }
        Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT)),
    }
}

//! Receives the body of an order or a form. Limits its size, its transfer time, and the memory of all bodies together.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use oms_engine::intake::Reply;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::reply::plain;
use crate::state::site::Site;

/// Timeout for receiving an order or a form.
const RECEIVE: Duration = Duration::from_secs(20);
/// The unit, in bytes, in which memory is reserved.
const PIECE: usize = 4 << 10;

/// Receives a body of at most `max` bytes. The returned `Room` reserves memory for it until it is dropped.
pub(crate) async fn receive(site: &Site, body: Body, max: usize) -> Result<(Vec<u8>, Room), Reply> {
    let said = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if said > max {
        return Err(Reply::too_large(max));
    }
    let whole = collect(&site.receiving, body, max);
    match tokio::time::timeout(RECEIVE, whole).await {
        Ok(received) => received,
        Err(_) => Err(plain(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// Memory that is reserved for received bytes. A `Content-Length` alone reserves nothing.
#[derive(Default)]
pub(crate) struct Room {
    pieces: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl Room {
    /// Reserves memory for this number of bytes in total. Returns false if the limit is reached.
    fn grow(&mut self, room: &Arc<Semaphore>, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes).div_ceil(PIECE);
        if more == 0 {
            return true;
        }
        let kib = u32::try_from(more * PIECE / 1_024).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(room).try_acquire_many_owned(kib) else { return false };
        self.bytes += more * PIECE;
        match &mut self.pieces {
            Some(pieces) => pieces.merge(permit),
            None => self.pieces = Some(permit),
        }
        true
    }
}

/// Copies the body into one buffer. Many small chunks would take several times as much memory.
async fn collect(
    receiving: &Arc<Semaphore>,
    mut body: Body,
    max: usize,
) -> Result<(Vec<u8>, Room), Reply> {
    let (mut bytes, mut room) = (Vec::new(), Room::default());
    while let Some(frame) = body.frame().await {
        // The body was shorter than its length, or its chunks were invalid.
        let frame = frame.map_err(|error| {
            let reply = Reply::problem(400, "body", "the body could not be received");
            reply.detailed(&error.to_string())
        })?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > max {
            return Err(Reply::too_large(max));
        }
        if !room.grow(receiving, bytes.len() + data.len()) {
            return Err(Reply::busy());
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, room))
}

//! Receives the body of an order or a form. Limits its size (413), its transfer time (408),
//! and the memory of all bodies together (429).

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use http_body_util::BodyExt as _;
use hyper::body::Body as _;
use oms_engine::intake::Reply;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::reply::status_problem;

/// Timeout for receiving an order or a form.
const RECEIVE_TIMEOUT: Duration = Duration::from_secs(20);
/// The unit, in bytes, in which memory is reserved.
const UNIT: usize = 4 << 10;

/// Receives a body of at most `max` bytes. The returned `BodyMemory` reserves memory for it until
/// it is dropped.
pub(crate) async fn receive(
    available: &Arc<Semaphore>,
    body: Body,
    max: usize,
) -> Result<(Vec<u8>, BodyMemory), Reply> {
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > max {
        return Err(Reply::too_large(max));
    }
    let received = collect(available, body, max);
    match tokio::time::timeout(RECEIVE_TIMEOUT, received).await {
        Ok(received) => received,
        Err(_) => Err(status_problem(StatusCode::REQUEST_TIMEOUT)),
    }
}

/// Memory that is reserved for received bytes. A `Content-Length` alone reserves nothing.
#[derive(Default)]
pub(crate) struct BodyMemory {
    permit: Option<OwnedSemaphorePermit>,
    bytes: usize,
}

impl BodyMemory {
    /// Reserves memory for this number of bytes in total. Returns false if the limit is reached.
    fn grow(&mut self, available: &Arc<Semaphore>, bytes: usize) -> bool {
        let more = bytes.saturating_sub(self.bytes).div_ceil(UNIT);
        if more == 0 {
            return true;
        }
        let kib = u32::try_from(more * UNIT / 1_024).unwrap_or(u32::MAX);
        let Ok(permit) = Arc::clone(available).try_acquire_many_owned(kib) else { return false };
        self.bytes += more * UNIT;
        match &mut self.permit {
            Some(reserved) => reserved.merge(permit),
            None => self.permit = Some(permit),
        }
        true
    }
}

/// Copies the body into one buffer. Many small chunks would take several times as much memory.
async fn collect(
    available: &Arc<Semaphore>,
    mut body: Body,
    max: usize,
) -> Result<(Vec<u8>, BodyMemory), Reply> {
    let (mut bytes, mut memory) = (Vec::new(), BodyMemory::default());
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
        if !memory.grow(available, bytes.len() + data.len()) {
            return Err(Reply::busy());
        }
        bytes.extend_from_slice(&data);
    }
    Ok((bytes, memory))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAX: usize = 64 << 10;

    fn memory(kib: usize) -> Arc<Semaphore> {
        Arc::new(Semaphore::new(kib))
    }

    #[tokio::test]
    async fn a_body_reserves_memory_until_it_is_dropped() {
        let available = memory(8);
        let (bytes, memory) =
            receive(&available, Body::from("x".repeat(5_000)), MAX).await.unwrap();
        assert_eq!((bytes.len(), available.available_permits()), (5_000, 0));
        drop(memory);
        assert_eq!(available.available_permits(), 8);
    }

    #[tokio::test]
    async fn a_body_without_memory_or_over_the_limit_is_rejected() {
        let status = async |kib, bytes: usize, max| {
            let received = receive(&memory(kib), Body::from("x".repeat(bytes)), max).await;
            received.err().map(|reply| reply.status)
        };
        assert_eq!(status(4, 4_096, MAX).await, None);
        assert_eq!(status(4, 4_097, MAX).await, Some(429));
        assert_eq!(status(64, 101, 100).await, Some(413));
    }
}

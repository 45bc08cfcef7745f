//! Webhooks: requests with a signature instead of an API key.

use std::sync::Arc;

use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::HeaderMap;
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::intake::{Reply, SignatureVerifier};
use oms_engine::pipeline::AcceptSection;
use tokio::sync::Semaphore;

use crate::http::body::{BodyMemory, receive};
use crate::http::reply::status_problem;

/// Returns the value of a header, or `None` if it is missing, repeated, or not visible ASCII.
pub(super) fn only<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?.to_str().ok()?;
    values.next().is_none().then_some(value)
}

/// Receives a body of at most `max` bytes and verifies its signature. Returns the reply if the
/// request is not an order: 401 if the signature is not valid, whatever the reason, or 200 for
/// WooCommerce's ping.
pub(super) async fn receive_signed(
    verifier: &SignatureVerifier,
    available: &Arc<Semaphore>,
    headers: &HeaderMap,
    body: Body,
    max: usize,
) -> Result<(Vec<u8>, BodyMemory), Reply> {
    let find = |name: &str| only(headers, name);
    let may_be_ping = verifier.may_be_ping(&find);
    // The body of a request that cannot have a valid signature is not read.
    if !may_be_ping && !verifier.has_signature(&find, SystemClock.now()) {
        return Err(unauthorized());
    }
    let (body, memory) = receive(available, body, max).await?;
    if may_be_ping && SignatureVerifier::is_ping(&body) {
        return Err(Reply::pong());
    }
    match verifier.verify(&find, &body, SystemClock.now()) {
        true => Ok((body, memory)),
        false => Err(unauthorized()),
    }
}

/// Checks the header that selects the webhooks with orders. Returns the reply to other webhooks.
pub(super) fn select(accept: Option<&AcceptSection>, headers: &HeaderMap) -> Result<(), Reply> {
    let Some(accept) = accept else { return Ok(()) };
    let is_accepted = |value: &str| accept.values.iter().any(|accepted| accepted == value);
    match only(headers, &accept.header).is_some_and(is_accepted) {
        true => Ok(()),
        false => Err(Reply::not_accepted()),
    }
}

/// Returns the reply to every request without a valid signature. It does not tell what is wrong.
fn unauthorized() -> Reply {
    status_problem(StatusCode::UNAUTHORIZED)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_a_single_accepted_value_is_an_order() {
        let accept = AcceptSection {
            header: "X-Topic".to_owned(),
            values: vec!["orders/create".to_owned(), "orders/paid".to_owned()],
        };
        let status = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append("x-topic", HeaderValue::from_bytes(value).unwrap());
            }
            select(Some(&accept), &headers).err().map(|reply| reply.status)
        };
        assert_eq!(status(&[b"orders/create"]), None);
        assert_eq!(status(&[b"orders/paid"]), None);
        let others: [&[&[u8]]; 6] = [
            &[],
            &[b"orders/updated"],
            &[b"Orders/Create"],
            &[b""],
            &[b"orders/create\xff"],
            &[b"orders/create", b"orders/create"],
        ];
        for values in others {
            assert_eq!(status(values), Some(204), "{values:?}");
        }
        assert!(select(None, &HeaderMap::new()).is_ok());
    }
}

//! The intake handler: checks an order, stores it, and then accepts it.

use std::sync::Arc;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use oms_clock::SystemClock;
use oms_engine::effects::{Clock as _, Orders, StepError, StoreResult, StoredOrder};
use oms_engine::intake::{Accepted, Conflict, Reply};
use oms_engine::plan::{Choreography, Plan};
use oms_engine::run::{Run, accept_as};
use oms_engine::value::Value;
use percent_encoding::percent_decode_str;
use serde_json::{Value as Json, json};

use crate::log;
use crate::rates::Pin;

/// Maximum number of attempts to store an order before the caller is asked to retry.
const ATTEMPTS: u32 = 3;

/// A handler that accepts orders.
pub struct IntakeHandler {
    plan: Arc<Plan>,
    store: usize,
    bucket: Arc<str>,
    orders: Arc<dyn Orders>,
    pin: Option<Pin>,
}

impl IntakeHandler {
    /// Creates the handler.
    pub fn new((plan, choreography): &(Arc<Plan>, Choreography), orders: Arc<dyn Orders>) -> Self {
        let (store, bucket) = (choreography.store, Arc::clone(&choreography.bucket));
        Self { plan: Arc::clone(plan), store, bucket, orders, pin: None }
    }

    /// Stores the version of the exchange rates with each order.
    #[must_use]
    pub fn with_pin(self, pin: Pin) -> Self {
        Self { pin: Some(pin), ..self }
    }

    /// Handles an event of API Gateway's proxy integration (REST API).
    pub async fn event(&self, event: &Json) -> Json {
        let name = event.pointer("/pathParameters/key").and_then(Json::as_str).unwrap_or_default();
        let name = percent_decode_str(name).decode_utf8_lossy();
        let text = event.get("body").and_then(Json::as_str).unwrap_or_default();
        let encoded = event.get("isBase64Encoded").and_then(Json::as_bool) == Some(true);
        let body = match encoded {
            true => BASE64_STANDARD.decode(text).unwrap_or_default(),
            false => text.as_bytes().to_vec(),
        };
        proxy_response(&self.put(&name, &body).await)
    }

    /// Accepts an order under a name. The status is 201 for a new order and 200 for the same order
    /// again. It is 409 for another order with this key, 400 or 413 for an invalid order, and 503
    /// if the order cannot be stored now.
    pub async fn put(&self, name: &str, body: &[u8]) -> Reply {
        let run = match accept_as(&self.plan, body, name, SystemClock.now()) {
            Ok(run) => run,
            Err(rejection) => return Reply::rejected(&rejection, body),
        };
        let key = &*run.info.key;
        let Some(object) = self.object_key(&run) else {
            return Reply::problem(500, "intake", "the order has no object key");
        };
        for attempt in 1..=ATTEMPTS {
            let answer = match self.store(&run, &object, name).await {
                Ok(StoreResult::New) => Reply::accepted(key, &run.info.id),
                Ok(StoreResult::Same) => Reply::same(key, &run.info.id),
                Ok(StoreResult::Other(stored)) => {
                    let accepted = match &stored {
                        Some(stored) => Accepted::Order(stored),
                        None => Accepted::Deleted { reduced: None },
                    };
                    match Conflict::between(self.plan.order(), &run.info, accepted) {
                        Some(conflict) => Reply::conflict(&conflict),
                        None => Reply::same(key, &run.info.id),
                    }
                }
                Err(error) => {
                    let number = attempt.to_string();
                    let fields =
                        [("key", key), ("attempt", number.as_str()), ("reason", error.message())];
                    log::log_line("warn", "could not store an order", &fields);
                    continue;
                }
            };
            let status = answer.status.to_string();
            log::log_line(
                "info",
                "handled an order",
                &[("pipeline", &**self.plan.name()), ("key", key), ("status", &status)],
            );
            return answer;
        }
        Reply::unavailable()
    }

    async fn store(&self, run: &Run, object: &str, name: &str) -> Result<StoreResult, StepError> {
        let rates = match &self.pin {
            Some(pin) => pin.version().await?,
            None => None,
        };
        let order = StoredOrder {
            body: Arc::clone(&run.info.body),
            digest: Some(run.info.digest),
            name: Some(Arc::from(name)),
            accepted_at: run.info.accepted_at,
            rates,
            is_erased: false,
        };
        self.orders.store(&self.bucket, object, &order).await
    }

    fn object_key(&self, run: &Run) -> Option<String> {
        let input = run.scheduler.input(self.store)?;
        let key = input.as_record()?.get("key").and_then(Value::as_text)?.to_string();
        Some(key)
    }
}

/// Converts a reply into a response of API Gateway's proxy integration.
fn proxy_response(reply: &Reply) -> Json {
    let mut headers = json!({ "Content-Type": reply.media_type() });
    if let (Some(headers), Some(seconds)) = (headers.as_object_mut(), reply.retry_after()) {
        headers.insert("Retry-After".to_owned(), Json::from(seconds.to_string()));
    }
    json!({ "statusCode": reply.status, "headers": headers, "body": reply.body.to_string() })
}

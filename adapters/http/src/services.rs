//! The services of a process.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use oms_core::effects::{
    Call, CallError, CallErrorKind, PendingAnswer, PendingPermit, ServiceRequest, Services, span_id,
};

use crate::client::{Client, ClientError};
use crate::limiter::Limiter;

/// The configuration of a service. Secrets are already read.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceConfig {
    /// The name in the pipeline.
    pub name: Arc<str>,
    /// The URL, without a slash at its end.
    pub base_url: String,
    /// The headers of every request. Their values are not secret.
    pub headers: Vec<(String, String)>,
    /// The header with the credentials. Its value is secret.
    pub credentials: Option<(String, String)>,
    /// Maximum duration of a request.
    pub timeout: Duration,
    /// Maximum number of concurrent requests.
    pub max_concurrency: u32,
    /// Maximum number of requests per second.
    pub per_second: Option<u32>,
    /// The header with the idempotency key.
    pub idempotency_header: Option<String>,
}

/// A service that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the service `{name}`")]
pub struct UnusableService {
    name: Arc<str>,
    source: ClientError,
}

/// The services of a process, by name.
pub struct HttpServices {
    services: BTreeMap<Arc<str>, Service>,
    is_traced: bool,
}

struct Service {
    client: Client,
    limiter: Limiter,
}

impl HttpServices {
    /// Creates clients for services. If `is_traced` is set, requests belong to the trace of their
    /// run.
    ///
    /// # Errors
    /// Returns an error if a header is invalid, or if the trusted certificates cannot be loaded.
    pub fn new(
        configs: impl IntoIterator<Item = ServiceConfig>,
        is_traced: bool,
    ) -> Result<Self, UnusableService> {
        let service = |config: ServiceConfig| {
            let limiter = Limiter::new(config.max_concurrency, config.per_second);
            let name = Arc::clone(&config.name);
            let client = Client::new(config);
            let client =
                client.map_err(|source| UnusableService { name: Arc::clone(&name), source })?;
            Ok((name, Service { client, limiter }))
        };
        let services = configs.into_iter().map(service).collect::<Result<_, UnusableService>>()?;
        Ok(Self { services, is_traced })
    }
}

/// Returns the trace and the span of an attempt (W3C Trace Context, "traceparent Header").
fn traceparent(call: &Call) -> String {
    let span = span_id(&call.run.id, &call.step, call.element, call.attempt);
    format!("00-{}-{:016x}-01", call.run.id, u64::from_be_bytes(span))
}

impl Services for HttpServices {
    fn call<'a>(&'a self, call: &'a Call, mut request: ServiceRequest) -> PendingAnswer<'a> {
        if self.is_traced {
            request.headers.push(("traceparent".to_owned(), traceparent(call)));
        }
        match self.services.get(&request.service) {
            Some(service) => Box::pin(service.client.send(request)),
            None => {
                let kind = CallErrorKind::Environment;
                let message = "this process does not have the service; add it to `services` of the pipeline file, and restart the process".to_owned();
                Box::pin(std::future::ready(Err(CallError { kind, message })))
            }
        }
    }

    fn acquire_permit<'a>(&'a self, service: &'a str, wait: bool) -> PendingPermit<'a> {
        match self.services.get(service) {
            Some(service) => Box::pin(service.limiter.acquire(wait)),
            // The call reports the missing service.
            None => Box::pin(std::future::ready(Some(Box::new(()) as _))),
        }
    }

    fn close(&self) {
        self.services.values().for_each(|service| service.limiter.close());
    }
}

//! The port for HTTP services that a pipeline declares under `services`.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::ports::{Call, PendingPermit, Permit};

/// The method of a request (RFC 9110, section 9; PATCH: RFC 5789).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// Reads a resource.
    Get,
    /// Reads only the status and the headers of a resource.
    Head,
    /// Reads the communication options of a resource.
    Options,
    /// Creates or replaces a resource.
    Put,
    /// Deletes a resource.
    Delete,
    /// Processes the request according to the service's own rules.
    Post,
    /// Changes a part of a resource.
    Patch,
}

impl Method {
    /// Returns the name in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Post => "POST",
            Self::Patch => "PATCH",
        }
    }

    /// Returns whether the method only reads (RFC 9110, section 9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }

    /// Returns whether a repetition has no further effect (RFC 9110, section 9.2.2).
    pub const fn is_idempotent(self) -> bool {
        self.is_safe() || matches!(self, Self::Put | Self::Delete)
    }
}

/// A request to a service. The host, the credentials and the headers of the service are part of its
/// configuration.
#[derive(Clone, Debug)]
pub struct ServiceRequest {
    /// The name of the service in the pipeline.
    pub service: Arc<str>,
    /// The method.
    pub method: Method,
    /// The path and the query, relative to the base URL. Values in it are percent-encoded.
    pub target: String,
    /// Headers in addition to those of the service.
    pub headers: Vec<(String, String)>,
    /// The media type and the bytes of the body.
    pub body: Option<(String, Arc<[u8]>)>,
    /// The idempotency key, if the service accepts one.
    pub key: Option<Arc<str>>,
    /// Maximum size of the answer in bytes. Zero means that the body is not read.
    pub answer_max: usize,
}

/// The answer of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The body of a 2xx answer.
    pub body: Arc<[u8]>,
    /// How long the service asks to wait before the next request (`Retry-After`).
    pub retry_after: Option<Duration>,
}

/// Why a request has no usable answer. The message contains neither personal data nor credentials.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CallError {
    /// What is known about the request.
    pub kind: CallErrorKind,
    /// A description of the error.
    pub message: String,
}

/// What is known about a request without a usable answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallErrorKind {
    /// This process does not know the service, or the request is invalid. It was not sent.
    Environment,
    /// The request was certainly not sent, for example because the connection was refused.
    NotSent,
    /// The connection was lost, so the service may have received the request.
    Lost,
    /// The time was over, so the service may have received the request.
    TimedOut,
    /// The service answered with this status, but the body is too large or encoded.
    Unreadable(u16),
}

/// A pending request.
pub type PendingAnswer<'a> = Pin<Box<dyn Future<Output = Result<Answer, CallError>> + Send + 'a>>;

/// Calls of HTTP services.
pub trait Services: Send + Sync {
    /// Sends a request and returns the answer, whatever its status is. Does not follow redirects.
    ///
    /// # Errors
    /// Returns an error if there is no answer, or if its body cannot be read.
    fn call<'a>(&'a self, call: &'a Call, request: ServiceRequest) -> PendingAnswer<'a>;

    /// Requests permission to claim a request to a service, within its rate and its maximum number
    /// of concurrent requests. Returns `None` if permission is not available now and `wait` is
    /// false, or if the port is closed.
    fn acquire_permit<'a>(&'a self, _service: &'a str, _wait: bool) -> PendingPermit<'a> {
        Box::pin(std::future::ready(Some(Box::new(()) as Permit)))
    }

    /// Stops granting permissions, even to callers that are already waiting, because the process is
    /// about to end.
    fn close(&self) {}
}

/// Services where none is configured. Every request fails with the same message.
#[derive(Clone, Copy, Debug)]
pub struct NoServices(pub &'static str);

impl Services for NoServices {
    fn call<'a>(&'a self, _: &'a Call, _: ServiceRequest) -> PendingAnswer<'a> {
        let error = CallError { kind: CallErrorKind::Environment, message: self.0.to_owned() };
        Box::pin(std::future::ready(Err(error)))
    }
}

/// The answer that an attempt reads. Before the attempt, it may contain an answer that was stored
/// earlier, so that the service is not called again. Otherwise, the step stores the answer that it
/// receives, so that the answer becomes durable together with the end of the attempt.
#[derive(Clone, Debug, Default)]
pub struct AnswerSlot(Arc<Mutex<Option<Arc<Answer>>>>);

impl AnswerSlot {
    /// Creates a slot with a stored answer.
    pub fn of(answer: Option<Arc<Answer>>) -> Self {
        Self(Arc::new(Mutex::new(answer)))
    }

    /// Returns the answer.
    pub fn get(&self) -> Option<Arc<Answer>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Stores the answer.
    pub fn set(&self, answer: Arc<Answer>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
    }
}

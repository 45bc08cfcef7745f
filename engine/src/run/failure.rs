//! The stored form of a step's failure. The error value itself does not outlive the process.

use oms_core::effects::{Class, RequestEnd, StepError};
use serde::{Deserialize, Serialize};

/// A failure. It contains no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Whether a retry could have helped.
    pub class: Class,
    /// The cause's name, such as `no_rate`.
    pub cause: String,
    /// The message.
    pub message: String,
    /// What is known about a failed request to a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestEnd>,
}

impl From<&StepError> for Failure {
    fn from(error: &StepError) -> Self {
        let mut message = error.message().to_owned();
        let mut source = std::error::Error::source(error);
        while let Some(inner) = source {
            message.push_str(": ");
            message.push_str(&inner.to_string());
            source = inner.source();
        }
        let (class, cause, request) = (error.class(), error.cause().to_owned(), error.request());
        Self { class, cause, message, request }
    }
}

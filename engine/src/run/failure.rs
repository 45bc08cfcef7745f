//! The stored form of a step's failure. The error value itself does not outlive the process.

use oms_core::effects::{Class, StepError};
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
        Self { class: error.class(), cause: error.cause().to_owned(), message }
    }
}

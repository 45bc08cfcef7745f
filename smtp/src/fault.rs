//! Errors of an SMTP session.

use lettre::transport::smtp::response::Response;

/// An error of an SMTP session.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server replied with 4xx or 5xx.
    Refused(Response),
    /// The reply is invalid or exceeds a limit.
    NoReply,
    /// The connection could not be established, or was lost.
    Lost,
    /// The server lacks a required feature.
    Lacks,
}

impl Fault {
    /// Returns the code of a negative reply.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(reply) => Some(reply.code().into()),
            Self::NoReply | Self::Lost | Self::Lacks => None,
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(_: std::io::Error) -> Self {
        Self::Lost
    }
}

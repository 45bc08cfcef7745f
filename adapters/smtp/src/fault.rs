//! Errors of an SMTP session.

use lettre::transport::smtp::response::Response;
use tokio_rustls::rustls::{self, CertificateError};

/// An error of an SMTP session.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server replied with 4xx or 5xx.
    Rejected(Response),
    /// A reply is invalid, unexpected, or exceeds a limit.
    NoReply,
    /// The connection could not be established, or was lost.
    Lost(std::io::Error),
    /// The server lacks a required feature.
    Unsupported,
}

impl Fault {
    /// Returns the code of a negative reply.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Rejected(reply) => Some(reply.code().into()),
            Self::NoReply | Self::Lost(_) | Self::Unsupported => None,
        }
    }
}

/// Returns the reason why TLS rejected the server's certificate.
pub(crate) fn certificate_error(error: &std::io::Error) -> Option<&CertificateError> {
    match error.get_ref()?.downcast_ref::<rustls::Error>()? {
        rustls::Error::InvalidCertificate(reason) => Some(reason),
        _ => None,
    }
}

impl From<std::io::Error> for Fault {
    fn from(error: std::io::Error) -> Self {
        Self::Lost(error)
    }
}

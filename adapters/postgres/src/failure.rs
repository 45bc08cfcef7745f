//! Classifies the errors of the driver, which determine whether a statement is retried.

use std::error::Error as _;

use oms_core::effects::{StepError, cause};
use oms_sql::from_state;
use tokio_postgres::Error;
use tokio_postgres::error::SqlState;
use tokio_rustls::rustls::{self, CertificateError};

/// Maximum length of a reason. A reason quotes names from the server's certificate.
const REASON_CHARS_MAX: usize = 300;

/// The driver's text if the server rejects the request for TLS.
const NO_TLS: &str = "server does not support TLS";

/// Returns whether a connection can be used again after an error. Class 08 is about connections,
/// class 57 about a server that stops or starts. A server becomes read-only when another one takes
/// over, so a new connection may reach the other one.
pub(crate) fn is_reusable(error: &Error) -> bool {
    error.code().is_some_and(|state| {
        !state.code().starts_with("08")
            && !state.code().starts_with("57")
            && *state != SqlState::READ_ONLY_SQL_TRANSACTION
    })
}

/// Classifies an error. `may_need_tls` is true for a TCP connection without TLS.
pub(crate) fn classify(error: Error, may_need_tls: bool) -> StepError {
    if let Some(state) = error.code() {
        // The server's message is omitted, because it may contain values of an order.
        if *state == SqlState::INVALID_AUTHORIZATION_SPECIFICATION && may_need_tls {
            return environment(
                "the database denies access to this user (SQLSTATE 28000); if the server requires TLS, add `sslmode=verify-full` \
                 to the address",
            );
        }
        return from_state(state.code());
    }
    let Some(source) = error.source() else {
        return unavailable("the connection to the database was lost").caused_by(error);
    };
    match source.downcast_ref::<std::io::Error>() {
        Some(io) => match io.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(rustls::Error::InvalidCertificate(reason)) => environment(certificate(reason)),
            Some(reason) => {
                let reason = reason.to_string();
                environment(format!("the TLS handshake with the database failed: {reason}"))
            }
            None => unavailable("the database does not respond").caused_by(error),
        },
        None if source.to_string() == NO_TLS => environment(
            "the database server does not support TLS; enable `ssl` on the server, or add `sslmode=disable` to the address if the network is \
             private",
        ),
        // For example, the address has no password, or the server requires an authentication method
        // that the driver does not support.
        None => environment("cannot log in to the database").caused_by(error),
    }
}

/// Returns the message for an invalid certificate.
fn certificate(reason: &CertificateError) -> String {
    let shown: String = reason.to_string().chars().take(REASON_CHARS_MAX).collect();
    match reason {
        // The signature is wrong if an authority has the name of a trusted one.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no trusted certificate has signed the database server's certificate; set `sslrootcert` in the address to a file with the certificates \
             that you trust"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!(
                "the database server's certificate is for another host name: {shown}; use a host name of the certificate in the address, or \
                 `sslmode=verify-ca` with your own authority in `sslrootcert`"
            )
        }
        _ => format!(
            "the database server's certificate is invalid: {shown}; install a valid certificate on the server"
        ),
    }
}

pub(crate) fn unavailable(message: &str) -> StepError {
    StepError::transient(cause::UNAVAILABLE, message)
}

/// Returns an error that is not caused by the order. An operator has to fix the environment.
fn environment(message: impl Into<String>) -> StepError {
    StepError::transient(cause::ENVIRONMENT, message)
}

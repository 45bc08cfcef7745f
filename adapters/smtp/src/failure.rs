//! The meaning of an SMTP error for a mail.

use std::fmt::Write as _;

use lettre::transport::smtp::response::Response;
use oms_core::effects::{StepError, cause};
use tokio_rustls::rustls::CertificateError;

use crate::fault::{Fault, certificate_error};

/// Maximum length of a reason. It quotes names from the server's certificate.
const REASON_CHARS_MAX: usize = 200;
const UNKNOWN_ISSUER: &str =
    "its issuer is unknown; set `SSL_CERT_FILE` to a file with the certificates that you trust";

/// How far a conversation with the server had come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Before there was a connection that may be used: TCP, TLS, greeting.
    Connect,
    /// The server was asked to take our word for who we are.
    Login,
    /// The sender was named.
    Sender,
    /// The recipient was named.
    Recipient,
    /// The server was asked to take the message.
    Data,
    /// The message was under way: the server may have it.
    Message,
}

impl Phase {
    const fn words(self) -> &'static str {
        match self {
            Self::Connect => "cannot be reached",
            Self::Login => "does not accept the login",
            Self::Sender => "does not accept the sender",
            Self::Recipient => "does not accept the recipient",
            Self::Data => "does not take the message",
            Self::Message => "did not accept the message",
        }
    }
}

/// Says what an error means. A reply with a code of 4xx or 5xx always means that the server did not take the mail (RFC 5321, 4.2.1); without a
/// reply that is only sure as long as the message was not under way.
pub(crate) fn meaning(phase: Phase, fault: &Fault) -> StepError {
    let words = phase.words();
    let reply = match (fault, phase) {
        (Fault::Refused(reply), _) => reply,
        (_, Phase::Message) => return unanswered(),
        (Fault::Lacks, _) => {
            let message = format!("the mail server {words}: it lacks what this connection needs");
            return StepError::permanent(cause::REFUSED, message);
        }
        (Fault::NoReply, _) => {
            let message = format!("the mail server {words}: it sent an invalid or too long reply");
            return StepError::transient(cause::UNAVAILABLE, message);
        }
        (Fault::Lost(error), _) => match certificate_error(error) {
            Some(reason) => {
                let reason = match reason {
                    CertificateError::UnknownIssuer => UNKNOWN_ISSUER.to_owned(),
                    reason => reason.to_string().chars().take(REASON_CHARS_MAX).collect(),
                };
                let message = format!("the certificate of the mail server is invalid: {reason}");
                return StepError::transient(cause::UNAVAILABLE, message);
            }
            None => {
                let message = format!("the mail server {words}: {error}");
                return StepError::transient(cause::UNAVAILABLE, message);
            }
        },
    };
    let words = if phase == Phase::Connect { "rejects the connection" } else { words };
    let code = u16::from(reply.code());
    let mut message = format!("the mail server {words}: {code}");
    if let Some(enhanced) = enhanced_status(reply) {
        // Writing to a string cannot fail.
        let _written = write!(message, " {enhanced}");
    }
    match (code / 100 == 5, phase) {
        (true, Phase::Recipient) => StepError::permanent(cause::BAD_ADDRESS, message),
        (true, _) => StepError::permanent(cause::REFUSED, message),
        (false, _) => StepError::transient(cause::UNAVAILABLE, message),
    }
}

/// Says that a command was not answered in time.
pub(crate) fn late(phase: Phase) -> StepError {
    match phase {
        Phase::Message => unanswered(),
        _ => StepError::transient(
            cause::UNAVAILABLE,
            format!("the mail server {}: it takes too long to answer", phase.words()),
        ),
    }
}

fn unanswered() -> StepError {
    StepError::unknown("the mail server was given the message and did not answer")
}

/// Returns the enhanced status code (RFC 3463) of a reply, such as `5.1.1`. The words around it are left out: they may quote an address.
fn enhanced_status(reply: &Response) -> Option<&str> {
    reply.message().flat_map(str::split_whitespace).find(|word| is_enhanced_status(word))
}

fn is_enhanced_status(word: &str) -> bool {
    let parts: Vec<&str> = word.split('.').collect();
    let number =
        |part: &&str| matches!(part.len(), 1..=3) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && matches!(parts.first(), Some(&("4" | "5"))) && parts.iter().all(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_status_codes_are_taken_from_what_a_server_says() {
        for word in ["5.1.1", "4.7.0", "5.7.512"] {
            assert!(is_enhanced_status(word), "{word}");
        }
        for word in ["5.1", "jane@5.1.1", "10.0.0.1", "2.1.5", "5.1.1.1", "5..1", "<5.1.1>"] {
            assert!(!is_enhanced_status(word), "{word}");
        }
    }
}

//! Classifies the errors of an SMTP session, which determine whether an e-mail is retried.

use std::fmt::Write as _;

use lettre::transport::smtp::response::Response;
use oms_core::effects::{StepError, cause};
use tokio_rustls::rustls::CertificateError;

use crate::fault::{Fault, certificate_error};

/// Maximum length of a reason. A reason quotes names from the server's certificate.
const REASON_CHARS_MAX: usize = 200;
const UNKNOWN_ISSUER: &str =
    "its issuer is unknown; set `SSL_CERT_FILE` to a file with the certificates that you trust";

/// The phase of an SMTP session in which an error occurred.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The client connects: TCP, TLS, greeting.
    Connect,
    /// The client authenticates.
    Login,
    /// The client names the sender.
    Sender,
    /// The client names the recipient.
    Recipient,
    /// The client asks to send the message.
    Data,
    /// The client sends the message. The server may have accepted it.
    Message,
}

impl Phase {
    const fn words(self) -> &'static str {
        match self {
            Self::Connect => "cannot be reached",
            Self::Login => "did not accept the login",
            Self::Sender => "did not accept the sender",
            Self::Recipient => "did not accept the recipient",
            Self::Data => "did not accept the DATA command",
            Self::Message => "did not accept the message",
        }
    }
}

/// Classifies an error. After a reply with a code of 4xx or 5xx, the server has not accepted the
/// e-mail (RFC 5321, 4.2.1). Without a reply, that is only certain until the message is sent.
pub(crate) fn classify(phase: Phase, fault: &Fault) -> StepError {
    let words = phase.words();
    let reply = match (fault, phase) {
        (Fault::Rejected(reply), _) => reply,
        (_, Phase::Message) => return no_final_reply(),
        (Fault::Unsupported, _) => {
            let message =
                format!("the mail server {words}: it does not support a required feature");
            return StepError::permanent(cause::REFUSED, message);
        }
        (Fault::NoReply, _) => {
            let message =
                format!("the mail server {words}: it sent a reply that is invalid or too long");
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
    let words = if phase == Phase::Connect { "rejected the connection" } else { words };
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

/// Returns the error of a command that timed out.
pub(crate) fn timed_out(phase: Phase) -> StepError {
    match phase {
        Phase::Message => no_final_reply(),
        _ => StepError::transient(
            cause::UNAVAILABLE,
            format!("the mail server {}: it did not respond in time", phase.words()),
        ),
    }
}

fn no_final_reply() -> StepError {
    StepError::unknown("the mail server did not respond after the message was sent")
}

/// Returns the enhanced status code (RFC 3463) of a reply, such as `5.1.1`. The text around it is
/// omitted, because it may contain an address.
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
    fn only_status_codes_are_taken_from_a_reply() {
        for word in ["5.1.1", "4.7.0", "5.7.512"] {
            assert!(is_enhanced_status(word), "{word}");
        }
        for word in ["5.1", "jane@5.1.1", "10.0.0.1", "2.1.5", "5.1.1.1", "5..1", "<5.1.1>"] {
            assert!(!is_enhanced_status(word), "{word}");
        }
    }
}

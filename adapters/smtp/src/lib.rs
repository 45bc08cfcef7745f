//! A mailer for SMTP servers (RFC 5321). It keeps connections open, supports TLS and
//! authentication, and reports for each e-mail whether it was certainly sent, was certainly not
//! sent, or has an unknown outcome.
//!
//! [`SmtpMailer`] sends the bytes of [`Mail::to_rfc5322`](oms_core::mail::Mail::to_rfc5322). This
//! crate must never report an e-mail as not sent if the server may have accepted it. It also must
//! not repeat the text of server replies, because they may contain addresses.

mod connection;
mod failure;
mod fault;
mod mailer;
mod reply;
mod tls;

pub use mailer::{Credentials, Settings, SettingsError, SmtpMailer};

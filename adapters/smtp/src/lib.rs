//! The mailer on a server that is reached by SMTP (RFC 5321): connections that are kept open, TLS, authentication, and for each mail an
//! answer to the one question that matters: was it surely sent, surely not, or is that not known?
//!
//! [`SmtpMailer`] sends the bytes of [`Mail::to_rfc5322`](oms_core::mail::Mail::to_rfc5322). Nothing in here may claim that a mail was not
//! sent when the server may have taken it, nor repeat what a server says in words: it quotes addresses.

mod connection;
mod failure;
mod fault;
mod mailer;
mod reply;
mod tls;

pub use mailer::{Credentials, Settings, SettingsError, SmtpMailer};

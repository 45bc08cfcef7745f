//! Outgoing e-mails: a rendered [`Mail`] and its complete RFC 5322 message.
//!
//! Every transport (outbox table, SMTP, an e-mail service) sends the bytes of [`Mail::to_rfc5322`],
//! so an e-mail is the same everywhere. The bytes depend only on the e-mail: not on the clock, a
//! host name or a random boundary. No code in this module may let a value end a header or a part
//! early, or print the content of an e-mail, which is personal data.

mod attachment;
mod envelope;
mod header;
mod mailbox;
mod message;
mod mime;
mod security;
mod unsubscribe;
mod url;

pub use attachment::{Attachment, NAME_CHARS_MAX, content_type};
pub use envelope::Envelope;
pub use mailbox::{Mailbox, MailboxError};
pub use message::{MAIL_BYTES_MAX, Mail, MailError, message_id};
pub use security::Security;
pub use unsubscribe::{Unsubscribe, UnsubscribeError};
pub use url::UrlPart;

//! Mails as they leave: one rendered [`Mail`], and the complete RFC 5322 message made of it.
//!
//! Every way out (outbox table, SMTP, a mail service) sends the bytes of [`Mail::to_rfc5322`], so that a mail is the same
//! wherever it goes. The bytes follow from the mail alone: no clock, no host name and no random boundary. Nothing in here may
//! let a value end a header or a part early, or print what a mail says: it is personal data.

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

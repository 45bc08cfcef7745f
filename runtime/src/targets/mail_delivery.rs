//! E-mail delivery: e-mails stay in the outbox, or a mail server sends them. The state stores the
//! choice.

use std::sync::Arc;

use oms_engine::effects::Mailer;
use oms_sqlite::{Error, Setup};

/// How e-mails are delivered.
#[derive(Clone)]
pub enum MailDelivery {
    /// E-mails stay in the outbox.
    Outbox,
    /// E-mails are sent, and then stored in the outbox.
    Server(Arc<dyn Mailer>),
}

const SERVER: &str = "out";
const OUTBOX: &str = "outbox";

/// Returns the mailer to use, and stores the choice. Without a choice, e-mails stay in the outbox.
/// But if the stored choice is a mail server, a missing choice is an error, because sending would
/// otherwise stop unnoticed.
pub(crate) fn choose(
    setup: &Setup<'_>,
    choice: Option<MailDelivery>,
) -> Result<Option<Arc<dyn Mailer>>, Error> {
    let before = setup.mail()?;
    let (mailer, now) = match choice {
        None if before.as_deref() == Some(SERVER) => return Err(Error::MailNotConfigured),
        None => return Ok(None),
        Some(MailDelivery::Outbox) => (None, OUTBOX),
        Some(MailDelivery::Server(mailer)) => (Some(mailer), SERVER),
    };
    if before.as_deref() != Some(now) {
        setup.set_mail(now)?;
    }
    Ok(mailer)
}

//! E-mail delivery: e-mails stay in the outbox, or a mail server sends them. The state stores the
//! choice.

use std::sync::Arc;

use oms_engine::effects::Mailer;
use oms_sqlite::{Error, Setup};

/// How e-mails are delivered.
#[derive(Clone)]
pub enum Mailing {
    /// E-mails stay in the outbox.
    Outbox,
    /// E-mails are sent, and then stored in the outbox.
    Out(Arc<dyn Mailer>),
}

const OUT: &str = "out";
const OUTBOX: &str = "outbox";

/// Returns the mailer to use, and stores the choice. Without a choice, e-mails stay in the outbox.
/// But if the stored choice is a mail server, a missing choice is an error, because sending would
/// otherwise stop unnoticed.
pub(crate) fn settle(
    setup: &Setup<'_>,
    choice: Option<Mailing>,
) -> Result<Option<Arc<dyn Mailer>>, Error> {
    let before = setup.mail()?;
    let (mailer, now) = match choice {
        None if before.as_deref() == Some(OUT) => return Err(Error::MailUnsaid),
        None => return Ok(None),
        Some(Mailing::Outbox) => (None, OUTBOX),
        Some(Mailing::Out(mailer)) => (Some(mailer), OUT),
    };
    if before.as_deref() != Some(now) {
        setup.set_mail(now)?;
    }
    Ok(mailer)
}

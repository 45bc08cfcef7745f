//! Where mail goes: it is kept in the outbox, or leaves by a server. What was said once holds until something else is said.

use std::sync::Arc;

use oms_engine::effects::Mailer;
use oms_sqlite::{Error, Setup};

/// Where mail goes.
#[derive(Clone)]
pub enum Mailing {
    /// It is kept in the outbox.
    Outbox,
    /// It leaves, and is kept once it has.
    Out(Arc<dyn Mailer>),
}

const OUT: &str = "out";
const OUTBOX: &str = "outbox";

/// Returns the mailer to be used, and keeps what was said. Where nothing is said mail stays in the outbox, but not if it went out before:
/// nobody would notice that it does not any more.
pub(crate) fn settle(
    setup: &Setup<'_>,
    said: Option<Mailing>,
) -> Result<Option<Arc<dyn Mailer>>, Error> {
    let before = setup.mail()?;
    let (mailer, now) = match said {
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

//! Where mail goes: it is kept in the outbox, or leaves by a server. What was said once holds until something else is said.

use std::sync::Arc;

use oms_engine::effects::Mailer;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::Error;

/// Where mail goes.
#[derive(Clone)]
pub enum Mailing {
    /// It is kept in the outbox.
    Outbox,
    /// It leaves, and is kept once it has.
    Out(Arc<dyn Mailer>),
}

const NAME: &str = "mail";
const OUT: &str = "out";
const OUTBOX: &str = "outbox";

/// Returns the mailer to be used, and keeps what was said. Where nothing is said mail stays in the outbox, but not if it went out before:
/// nobody would notice that it does not any more.
pub(crate) fn settle(
    connection: &Connection,
    said: Option<Mailing>,
) -> Result<Option<Arc<dyn Mailer>>, Error> {
    let before: Option<String> = connection
        .query_row("select value from oms_meta where name = ?1", [NAME], |row| row.get(0))
        .optional()?;
    let (mailer, now) = match said {
        None if before.as_deref() == Some(OUT) => return Err(Error::MailUnsaid),
        None => return Ok(None),
        Some(Mailing::Outbox) => (None, OUTBOX),
        Some(Mailing::Out(mailer)) => (Some(mailer), OUT),
    };
    if before.as_deref() != Some(now) {
        connection.execute(
            "insert into oms_meta (name, value) values (?1, ?2) on conflict (name) do update set value = excluded.value",
            params![NAME, now],
        )?;
    }
    Ok(mailer)
}

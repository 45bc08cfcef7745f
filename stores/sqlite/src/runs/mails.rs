//! The outbox: the compressed parts of e-mails. A message is assembled from its parts when it is
//! shown or exported.

use std::cell::RefCell;

use jiff::Timestamp;
use oms_core::effects::{StepError, cause};
use oms_core::mail::{Attachment, Mail, Mailbox, Unsubscribe};
use rusqlite::{OptionalExtension as _, Row};
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::runs::run_row::clamped_u32;
use crate::state::instant::{millisecond, serialize_instant};
use crate::state::readers::Reader;

/// The compression level. Even the fastest level reduces repetitive HTML to a fifth.
const LEVEL: i32 = 1;
/// Maximum size in bytes of an unpacked e-mail.
const UNPACKED_MAX: usize = 32 << 20;

thread_local! {
    /// Each thread keeps its compressor, because a compressor allocates large tables.
    static COMPRESSOR: RefCell<Option<zstd::bulk::Compressor<'static>>> = const { RefCell::new(None) };
}

/// The stored form of an e-mail.
#[derive(Serialize, Deserialize)]
struct Parts {
    from_name: Option<String>,
    from: String,
    to: String,
    subject: String,
    text: String,
    html: String,
    date: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsubscribe: Option<(String, bool)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<(String, String)>,
}

/// Packs an e-mail for the outbox.
///
/// # Errors
/// Returns an error if the e-mail cannot be assembled or compressed.
pub fn pack(mail: &Mail) -> Result<Vec<u8>, StepError> {
    // The message is only assembled when it is shown or exported, so errors must be found here.
    mail.check().map_err(|error| {
        StepError::permanent(cause::OUT_OF_RANGE, "cannot build the e-mail").caused_by(error)
    })?;
    let parts = Parts {
        from_name: mail.from.name.clone(),
        from: mail.from.address.clone(),
        to: mail.to.clone(),
        subject: mail.subject.clone(),
        text: mail.text.clone(),
        html: mail.html.clone(),
        date: mail.date.as_millisecond(),
        unsubscribe: mail
            .unsubscribe
            .as_ref()
            .map(|unsubscribe| (unsubscribe.url().to_owned(), unsubscribe.is_one_click())),
        attachments: mail
            .attachments
            .iter()
            .map(|attachment| (attachment.name.clone(), attachment.content.clone()))
            .collect(),
    };
    let json = serde_json::to_vec(&parts).unwrap_or_default();
    let failed = |error: std::io::Error| {
        StepError::permanent(cause::OUT_OF_RANGE, "cannot compress the e-mail").caused_by(error)
    };
    COMPRESSOR.with_borrow_mut(|slot| match slot {
        Some(compressor) => compressor.compress(&json).map_err(failed),
        None => {
            let mut compressor = zstd::bulk::Compressor::new(LEVEL).map_err(failed)?;
            let packed = compressor.compress(&json).map_err(failed);
            *slot = Some(compressor);
            packed
        }
    })
}

/// Unpacks the result of [`pack`], or returns `None` if it is damaged.
pub fn unpack(message_id: &str, content: &[u8]) -> Option<Mail> {
    let json = zstd::bulk::decompress(content, UNPACKED_MAX).ok()?;
    let parts: Parts = serde_json::from_slice(&json).ok()?;
    Some(Mail {
        message_id: message_id.to_owned(),
        from: Mailbox { name: parts.from_name, address: parts.from },
        to: parts.to,
        subject: parts.subject,
        text: parts.text,
        html: parts.html,
        date: millisecond(parts.date),
        unsubscribe: match parts.unsubscribe {
            Some((url, one_click)) => Some(Unsubscribe::new(&url, one_click).ok()?),
            None => None,
        },
        attachments: parts
            .attachments
            .into_iter()
            .map(|(name, content)| Attachment { name, content })
            .collect(),
    })
}

/// An e-mail in the outbox, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MailRow {
    /// The order's key.
    pub key: String,
    /// The step that sent it.
    pub step: String,
    /// The index of the element, or 0 without `for_each`.
    pub element: u32,
    /// The Message-ID, without angle brackets.
    pub message_id: String,
    /// The time when the e-mail was sent.
    #[serde(serialize_with = "serialize_instant")]
    pub sent_at: Timestamp,
}

/// An e-mail in the outbox.
#[derive(Clone, Debug)]
pub struct StoredMail {
    /// The properties without the content.
    pub row: MailRow,
    /// The e-mail.
    pub mail: Mail,
}

const COLUMNS: &str = "r.key, m.step, m.element, m.message_id, m.sent_at";

impl MailRow {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            key: row.get(0)?,
            step: row.get(1)?,
            element: clamped_u32(row, 2)?,
            message_id: row.get(3)?,
            sent_at: millisecond(row.get(4)?),
        })
    }

    /// Lists the first e-mails in the order of their runs, at most `limit`.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn list(reader: &Reader, limit: u32) -> Result<Vec<Self>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare(&format!(
            "select {COLUMNS} from oms_mails m join oms_runs r on r.id = m.run order by m.run, m.step, m.element limit ?1"
        ))?;
        let rows = statement.query_map([limit], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Counts all e-mails.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn total(reader: &Reader) -> Result<u64, Error> {
        let connection = reader.sql();
        let count: i64 =
            connection.query_row("select count(*) from oms_mails", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Returns the key of the latest order with an e-mail.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn last_key(reader: &Reader) -> Result<Option<String>, Error> {
        let sql = "select r.key from oms_mails m join oms_runs r on r.id = m.run order by m.run desc limit 1";
        Ok(reader.sql().query_row(sql, [], |row| row.get(0)).optional()?)
    }
}

impl StoredMail {
    /// Calls `each` with every e-mail, or with the e-mails of one order, in the order of their
    /// runs. Damaged e-mails are skipped and reported at the end.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read, if `each` fails, or if an e-mail is
    /// damaged.
    pub fn each(
        reader: &Reader,
        key: Option<&str>,
        each: impl FnMut(Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Self::each_where(reader, "?1 is null or r.key = ?1", [key], each)
    }

    /// Calls `each` with every e-mail of a run. Damaged e-mails are skipped and reported at the
    /// end.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read, if `each` fails, or if an e-mail is
    /// damaged.
    pub fn each_of_run(
        reader: &Reader,
        run: i64,
        each: impl FnMut(Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        Self::each_where(reader, "m.run = ?1", [run], each)
    }

    fn each_where(
        reader: &Reader,
        wanted: &str,
        values: impl rusqlite::Params,
        mut each: impl FnMut(Self) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare(&format!(
            "select {COLUMNS}, m.content from oms_mails m join oms_runs r on r.id = m.run
             where {wanted} order by m.run, m.step, m.element"
        ))?;
        let mut rows = statement.query(values)?;
        let mut damaged = None;
        while let Some(row) = rows.next()? {
            let listed = MailRow::read(row)?;
            let content: Vec<u8> = row.get(5)?;
            match unpack(&listed.message_id, &content) {
                Some(mail) => each(Self { row: listed, mail })?,
                None => {
                    let (key, why) = (listed.key, "an e-mail of the run is damaged".to_owned());
                    damaged.get_or_insert(Error::Damaged { key, why });
                }
            }
        }
        damaged.map_or(Ok(()), Err)
    }
}

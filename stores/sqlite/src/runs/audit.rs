//! The audit log: the user actions on runs, and the times at which users viewed personal data.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::error::Error;
use crate::state::instant::millisecond;
use crate::state::readers::Reader;

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// The number of the entry.
    pub id: i64,
    /// The time.
    pub at: Timestamp,
    /// The name of the API key that was used. Empty if the server requires no key.
    pub who: String,
    /// The action, in one or two words.
    pub what: String,
    /// The key of the order, if the action concerns an order.
    pub key: Option<String>,
    /// Details without personal data.
    pub detail: String,
}

impl AuditEntry {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            id: row.get(0)?,
            at: millisecond(row.get(1)?),
            who: row.get(2)?,
            what: row.get(3)?,
            key: row.get(4)?,
            detail: row.get(5)?,
        })
    }

    /// Lists the newest entries, or the newest before a number.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn list(reader: &Reader, before: Option<i64>, limit: u32) -> Result<Vec<Self>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(
            "select id, at, who, what, key, detail from oms_audit where id < ?1 order by id desc limit ?2",
        )?;
        let rows = statement.query_map(params![before.unwrap_or(i64::MAX), limit], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes the entry with the next number, and returns the number.
    pub(crate) fn write(&self, connection: &Connection) -> Result<i64, Error> {
        connection
            .prepare_cached(
                "insert into oms_audit (at, who, what, key, detail) values (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                self.at.as_millisecond(),
                self.who,
                self.what,
                self.key,
                self.detail
            ])?;
        Ok(connection.last_insert_rowid())
    }

    /// Appends the outcome to the detail of an entry.
    pub(crate) fn ended(connection: &Connection, id: i64, outcome: &str) -> Result<(), Error> {
        connection
            .prepare_cached(
                "update oms_audit set detail = detail || iif(detail = '', '', ': ') || ?2 where id = ?1",
            )?
            .execute(params![id, outcome])?;
        Ok(())
    }
}

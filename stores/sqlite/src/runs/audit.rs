//! What people did to runs, and that they looked at personal data.

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::error::Error;
use crate::state::instant::millisecond;
use crate::state::readers::Reader;

/// Something that a person did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its number.
    pub id: i64,
    /// When.
    pub at: Timestamp,
    /// The name of the key that it was done with; empty where none is asked for.
    pub who: String,
    /// What was done, in a word or two.
    pub what: String,
    /// The order's key, if it was about one.
    pub key: Option<String>,
    /// More about it, without personal data.
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

    /// Lists the newest entries before a number, or of all.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(reader: &Reader, before: Option<i64>, limit: u32) -> Result<Vec<Self>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(
            "select id, at, who, what, key, detail from oms_audit where id < ?1 order by id desc limit ?2",
        )?;
        let rows = statement.query_map(params![before.unwrap_or(i64::MAX), limit], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes it; its number is the next one, which is returned.
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

    /// Adds to an entry's detail what came of it.
    pub(crate) fn ended(connection: &Connection, id: i64, outcome: &str) -> Result<(), Error> {
        connection
            .prepare_cached(
                "update oms_audit set detail = detail || iif(detail = '', '', ': ') || ?2 where id = ?1",
            )?
            .execute(params![id, outcome])?;
        Ok(())
    }
}

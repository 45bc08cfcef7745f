//! Objects in the database.

use jiff::Timestamp;
use rusqlite::{OptionalExtension as _, Row};
use serde::Serialize;

use crate::error::Error;
use crate::state::instant::{millisecond, serialize_instant};
use crate::state::readers::Reader;

/// An object, without its content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ObjectRow {
    /// The bucket.
    pub bucket: String,
    /// The key.
    pub key: String,
    /// The media type.
    pub content_type: String,
    /// The size in bytes.
    pub bytes: i64,
    /// The time when the object was stored.
    #[serde(serialize_with = "serialize_instant")]
    pub stored_at: Timestamp,
}

/// Returns the run that stored an object, and the object's content.
pub(crate) fn stored(
    reader: &Reader,
    bucket: &str,
    key: &str,
) -> Result<Option<(i64, Vec<u8>)>, Error> {
    let connection = reader.sql();
    let found = connection
        .prepare_cached(
            "select o.run, coalesce(o.body, r.body) from oms_objects o join oms_runs r on r.id = o.run
             where o.bucket = ?1 and o.key = ?2",
        )?
        .query_row([bucket, key], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found)
}

impl ObjectRow {
    /// Lists the objects by bucket and key, or only those of one bucket.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn list(reader: &Reader, bucket: Option<&str>) -> Result<Vec<Self>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare(
            "select o.bucket, o.key, o.content_type, length(coalesce(o.body, r.body)), o.stored_at
             from oms_objects o join oms_runs r on r.id = o.run
             where ?1 is null or o.bucket = ?1 order by o.bucket, o.key",
        )?;
        let rows = statement.query_map([bucket], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            bucket: row.get(0)?,
            key: row.get(1)?,
            content_type: row.get(2)?,
            bytes: row.get(3)?,
            stored_at: millisecond(row.get(4)?),
        })
    }

    /// Returns the content of an object.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn content(reader: &Reader, bucket: &str, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(stored(reader, bucket, key)?.map(|(_, content)| content))
    }

    /// Counts all objects.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn total(reader: &Reader) -> Result<u64, Error> {
        let count: i64 =
            reader.sql().query_row("select count(*) from oms_objects", [], |row| row.get(0))?;
        Ok(count.unsigned_abs())
    }

    /// Returns an object of the latest run in each bucket: the run, the bucket and the key.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn last_of_each_bucket(reader: &Reader) -> Result<Vec<(i64, String, String)>, Error> {
        // SQLite takes the other columns from the row with the maximum
        // (<https://sqlite.org/lang_select.html#bareagg>).
        let mut statement = reader
            .sql()
            .prepare("select max(run), bucket, key from oms_objects group by bucket")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Lists the objects that a run stored.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn of_run(reader: &Reader, run: i64) -> Result<Vec<Self>, Error> {
        let connection = reader.sql();
        let mut statement = connection.prepare_cached(
            "select o.bucket, o.key, o.content_type, length(coalesce(o.body, r.body)), o.stored_at
             from oms_objects o join oms_runs r on r.id = o.run where o.run = ?1 order by o.bucket, o.key",
        )?;
        let rows = statement.query_map([run], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }
}

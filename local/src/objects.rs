//! Stored objects: listing, reading, and writing them as files.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _, Row};
use serde::Serialize;

use crate::error::Error;
use crate::file_name;
use crate::runs::{millisecond, serialize_instant};

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
    connection: &Connection,
    bucket: &str,
    key: &str,
) -> Result<Option<(i64, Vec<u8>)>, Error> {
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
    /// When the database cannot be read.
    pub fn list(connection: &Connection, bucket: Option<&str>) -> Result<Vec<Self>, Error> {
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
    /// When the database cannot be read.
    pub fn content(
        connection: &Connection,
        bucket: &str,
        key: &str,
    ) -> Result<Option<Vec<u8>>, Error> {
        Ok(stored(connection, bucket, key)?.map(|(_, content)| content))
    }

    /// Lists the objects that a run stored.
    pub(crate) fn of_run(connection: &Connection, run: i64) -> Result<Vec<Self>, Error> {
        let mut statement = connection.prepare_cached(
            "select o.bucket, o.key, o.content_type, length(coalesce(o.body, r.body)), o.stored_at
             from oms_objects o join oms_runs r on r.id = o.run where o.run = ?1 order by o.bucket, o.key",
        )?;
        let rows = statement.query_map([run], Self::read)?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Writes an object below a directory as `bucket/key`. If the key is not a valid path, or is
    /// also the folder of other keys, the file has another name that is derived from the key. Every
    /// object has its own file.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write_file(
        directory: &Path,
        bucket: &str,
        key: &str,
        content: &[u8],
    ) -> Result<(), Error> {
        file_name::write(&directory.join(&*file_name::of(bucket)), key, content)
    }
}

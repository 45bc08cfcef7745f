//! Bundles: a pipeline file with all files that its plan was made from, stored by content.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use oms_core::value::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::Error;
use crate::state::readers::Reader;

/// A stored bundle.
#[derive(Clone, Debug)]
pub struct StoredBundle {
    /// The name of the pipeline file.
    pub pipeline_file: String,
    /// The version of the semantics with which its plan was made. `None` for a bundle of an early
    /// version of the program.
    pub semantics: Option<u32>,
    /// The files by their paths.
    pub files: Vec<(String, Arc<[u8]>)>,
}

impl StoredBundle {
    /// Returns the row of the bundle that was used last.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn latest(reader: &Reader) -> Result<i64, Error> {
        let id: String = reader.sql().query_row(
            "select value from oms_meta where name = 'bundle'",
            [],
            |row| row.get(0),
        )?;
        id.parse().map_err(|_| Error::Bundle(id))
    }

    /// Returns the rows of all bundles except one, the newest first.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn others(reader: &Reader, id: i64) -> Result<Vec<i64>, Error> {
        let mut statement =
            reader.sql().prepare("select id from oms_bundles where id <> ?1 order by id desc")?;
        let ids = statement.query_map([id], |row| row.get(0))?;
        Ok(ids.collect::<Result<_, _>>()?)
    }

    /// Loads a bundle and checks the digests of its files.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read, or if the bundle is missing or damaged.
    pub fn load(reader: &Reader, id: i64) -> Result<Self, Error> {
        let connection = reader.sql();
        let damaged = |why| Error::DamagedBundle { bundle: id, why };
        let (pipeline_file, manifest, semantics): (String, String, Option<u32>) = connection
            .prepare("select pipeline_file, files, semantics from oms_bundles where id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .optional()?
            .ok_or_else(|| damaged("its record is missing"))?;
        let manifest: BTreeMap<String, String> =
            serde_json::from_str(&manifest).map_err(|_| damaged("its list of files is invalid"))?;
        let mut files = Vec::with_capacity(manifest.len());
        for (path, digest) in manifest {
            let content: Vec<u8> = connection
                .prepare("select content from oms_files where lower(hex(digest)) = ?1")?
                .query_row([&digest], |row| row.get(0))
                .optional()?
                .ok_or_else(|| damaged("one of its files is missing"))?;
            if Digest::of(&content).to_string() != digest {
                return Err(damaged("one of its files was changed"));
            }
            files.push((path, Arc::from(content)));
        }
        Ok(Self { pipeline_file, semantics, files })
    }
}

/// Stores a bundle unless it exists, records it as the latest bundle, and returns its row.
pub(crate) fn keep<'f>(
    connection: &Connection,
    digest: &Digest,
    pipeline_file: &str,
    files: impl Iterator<Item = (&'f str, &'f [u8])>,
    semantics: u32,
    now: Timestamp,
) -> Result<i64, Error> {
    let known: Option<i64> = connection
        .prepare("select id from oms_bundles where digest = ?1")?
        .query_row([digest.bytes()], |row| row.get(0))
        .optional()?;
    let id = match known {
        Some(id) => id,
        None => {
            let transaction = connection.unchecked_transaction()?;
            let mut manifest: BTreeMap<&str, String> = BTreeMap::new();
            for (path, content) in files {
                let digest = Digest::of(content);
                transaction.execute(
                    "insert into oms_files (digest, content) values (?1, ?2) on conflict do nothing",
                    params![digest.bytes(), content],
                )?;
                manifest.insert(path, digest.to_string());
            }
            transaction.execute(
                "insert into oms_bundles (digest, pipeline_file, files, made_at, semantics) values (?1, ?2, ?3, ?4, ?5)",
                params![
                    digest.bytes(),
                    pipeline_file,
                    serde_json::to_string(&manifest).unwrap_or_default(),
                    now.as_millisecond(),
                    semantics,
                ],
            )?;
            let id = transaction.last_insert_rowid();
            transaction.commit()?;
            id
        }
    };
    connection.execute(
        "insert into oms_meta (name, value) values ('bundle', ?1) on conflict (name) do update set value = excluded.value",
        [id.to_string()],
    )?;
    Ok(id)
}

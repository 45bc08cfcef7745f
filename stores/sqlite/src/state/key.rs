//! The API keys in a database.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, Row, params};
use serde::{Deserialize, Serialize};

use super::database::Database;
use super::instant::millisecond;
use crate::error::Error;

/// The key file of an earlier version.
pub(crate) const FILE: &str = "keys.json";
/// The name of that file after the import.
const IMPORTED: &str = "keys.json.imported";

/// The permissions of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Sending orders and reading their status.
    Intake,
    /// Sending orders, reading their status, and all functions of the console.
    Admin,
}

impl Scope {
    const fn word(self) -> &'static str {
        match self {
            Self::Intake => "intake",
            Self::Admin => "admin",
        }
    }
}

/// A key, without its secret.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Key {
    /// The identifier of the key, which is part of the key itself.
    pub id: String,
    /// The name of the key.
    pub name: String,
    /// The permissions of the key.
    pub scope: Scope,
    /// The SHA-256 of the secret, in hexadecimal.
    pub(crate) digest: String,
    /// The time of creation.
    pub created_at: Timestamp,
    /// The time of revocation, if the key was revoked.
    pub revoked_at: Option<Timestamp>,
}

impl Key {
    /// Returns whether the key is not revoked.
    pub const fn is_valid(&self) -> bool {
        self.revoked_at.is_none()
    }
}

impl Key {
    fn from_row(row: &Row<'_>) -> rusqlite::Result<Self> {
        let scope: String = row.get(2)?;
        Ok(Self {
            id: row.get(0)?,
            name: row.get(1)?,
            // An unknown scope gets the fewest permissions.
            scope: if scope == Scope::Admin.word() { Scope::Admin } else { Scope::Intake },
            digest: row.get(3)?,
            created_at: millisecond(row.get(4)?),
            revoked_at: row.get::<_, Option<i64>>(5)?.map(millisecond),
        })
    }

    /// Adds the key to a database unless it exists.
    pub(crate) fn keep(&self, connection: &Connection) -> Result<(), Error> {
        connection.execute(
            "insert into oms_keys (id, name, scope, digest, created_at, revoked_at) values (?1, ?2, ?3, ?4, ?5, ?6) on conflict (id) do nothing",
            params![
                self.id,
                self.name,
                self.scope.word(),
                self.digest,
                self.created_at.as_millisecond(),
                self.revoked_at.map(Timestamp::as_millisecond),
            ],
        )?;
        Ok(())
    }
}

/// Returns whether a database has the table of keys. Earlier versions did not create it.
pub(crate) fn is_there(connection: &Connection) -> Result<bool, Error> {
    let sql =
        "select exists (select 1 from sqlite_schema where type = 'table' and name = 'oms_keys')";
    Ok(connection.query_row(sql, [], |row| row.get(0))?)
}

pub(crate) fn all(connection: &Connection) -> Result<Vec<Key>, Error> {
    let mut statement = connection.prepare(
        "select id, name, scope, digest, created_at, revoked_at from oms_keys order by created_at, id",
    )?;
    let keys = statement.query_map([], Key::from_row)?;
    Ok(keys.collect::<Result<_, _>>()?)
}

/// Reads the key file of an earlier version.
pub(crate) fn earlier(directory: &Path) -> Result<Vec<Key>, Error> {
    let path = directory.join(FILE);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::Directory { path, source }),
    };
    serde_json::from_slice(&bytes).map_err(|error| Error::directory(&path)(error.into()))
}

/// Imports the key file of an earlier version into the database.
pub(crate) fn import(connection: &Connection, directory: &Path) -> Result<(), Error> {
    let keys = earlier(directory)?;
    if keys.is_empty() {
        return Ok(());
    }
    let transaction = connection.unchecked_transaction()?;
    for key in &keys {
        key.keep(&transaction)?;
    }
    transaction.commit()?;
    let path = directory.join(FILE);
    std::fs::rename(&path, directory.join(IMPORTED)).map_err(Error::directory(&path))
}

/// Revokes the keys in a database that are revoked in the current database of a state directory. If
/// that database is unreadable, no key is revoked.
pub(crate) fn keep_revocations(connection: &Connection, directory: &Path) -> Result<(), Error> {
    let keys = Database::read(directory).and_then(|before| all(&before)).unwrap_or_default();
    for key in keys {
        connection.execute(
            "update oms_keys set revoked_at = ?2 where id = ?1 and revoked_at is null",
            params![key.id, key.revoked_at.map(Timestamp::as_millisecond)],
        )?;
    }
    Ok(())
}

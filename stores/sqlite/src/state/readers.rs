//! Connections for reading committed data.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use rusqlite::Connection;

use super::database::Database;
use crate::error::Error;

/// A connection for reading. Functions of this crate take it and run the SQL.
pub struct Reader(Connection);

impl Reader {
    /// Opens the state in a directory, even if another process owns it.
    ///
    /// # Errors
    /// Returns an error if the directory has no state, or if the state cannot be read.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        Database::read(directory).map(Self)
    }

    /// Calls `read`, and runs all its queries on one snapshot of the database.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read, or if `read` fails.
    pub fn snapshot<T>(&self, read: impl FnOnce(&Self) -> Result<T, Error>) -> Result<T, Error> {
        let _snapshot = self.0.unchecked_transaction()?;
        read(self)
    }

    pub(crate) const fn sql(&self) -> &Connection {
        &self.0
    }

    #[cfg(test)]
    pub(crate) const fn of(connection: Connection) -> Self {
        Self(connection)
    }
}

/// A pool of readers. It grows to the number of concurrent reads.
pub(crate) struct Readers {
    directory: PathBuf,
    idle: Mutex<Vec<Reader>>,
}

impl Readers {
    pub(crate) fn new(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), idle: Mutex::default() }
    }

    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// Calls `read` with a reader from the pool.
    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&Reader) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let reader = match idle {
            Some(reader) => reader,
            None => Reader::open(&self.directory)?,
        };
        let result = read(&reader);
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(reader);
        result
    }
}

//! The database file: opened by its one owner, or read beside it.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};

use crate::error::Error;
use crate::state::key;
use crate::state::lock::Lock;
use crate::state::marker::{self, Marker};
use crate::state::private;
use crate::state::schema;

/// The database's name in the state directory.
pub const DATABASE_FILE: &str = "oms.db";
/// The name of the search index in the state directory.
pub(crate) const INDEX_FILE: &str = "search.db";

/// Pages of the write-ahead log after which it is copied into the database file: 64 MiB. More would make the log longer to read
/// after a crash; fewer would write busy pages again and again.
const CHECKPOINT_PAGES: u32 = 8_192;
/// Bytes of a page. Orders and mails have a few thousand, so that a larger page holds several.
const PAGE_BYTES: u32 = 8_192;
/// Kibibytes of pages kept in memory by the writer.
const CACHE_KIB: i64 = 32_768;
/// Milliseconds that the owner waits for somebody who locks the database by other means, such as the shell of SQLite.
const OWNER_BUSY_MS: u64 = 60_000;
/// How long the log's readers are waited for when it is to be emptied.
const LOG_BUSY: std::time::Duration = std::time::Duration::from_secs(2);
/// Milliseconds that a reader waits for the owner's short exclusive moments.
pub(crate) const BUSY_MS: u64 = 5_000;

/// Returns the name of the pipeline to which a database belongs.
pub(crate) fn pipeline_of(connection: &Connection) -> Result<Option<String>, Error> {
    let sql = "select value from oms_meta where name = 'pipeline'";
    Ok(connection.query_row(sql, [], |row| row.get(0)).optional()?)
}

/// Deletes something so that it is overwritten, also where it fills whole pages.
pub(crate) fn overwriting<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    connection.pragma_update(None, "secure_delete", true)?;
    let transaction = connection.unchecked_transaction()?;
    let done = work(connection).and_then(|done| {
        transaction.commit()?;
        Ok(done)
    });
    connection.pragma_update(None, "secure_delete", "fast")?;
    done
}

/// Empties the write-ahead log, which has what was there before; others wait for a moment at the most.
pub(crate) fn empty_log(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(LOG_BUSY)?;
    let busy = connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0));
    connection.busy_timeout(std::time::Duration::from_millis(OWNER_BUSY_MS))?;
    if busy? { Err(Error::StillRead) } else { Ok(()) }
}

/// Checks that SQLite can open the files of a state directory: the whole path of the longest, `oms.db-journal`, has fewer than 512 bytes
/// (`MAX_PATHNAME` in SQLite's `os_unix.c`).
fn short_enough(directory: &Path) -> Result<(), Error> {
    const PATH_MAX: usize = 511;
    let whole = std::path::absolute(directory).map_err(Error::directory(directory))?;
    let (bytes, max) =
        (whole.as_os_str().len(), PATH_MAX - "/".len() - DATABASE_FILE.len() - "-journal".len());
    if bytes > max { Err(Error::PathTooLong { bytes, max }) } else { Ok(()) }
}

/// Returns the database of a state directory that this process may read.
pub(crate) fn readable(directory: &Path) -> Result<PathBuf, Error> {
    short_enough(directory)?;
    let path = directory.join(DATABASE_FILE);
    match File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::NoState(directory.to_owned()))
        }
        Err(source) => Err(Error::Directory { path, source }),
    }
}

/// Opens a database for reading, and returns its format.
fn versioned(path: &Path, flags: OpenFlags) -> Result<(Connection, i64), rusqlite::Error> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    connection.pragma_update(None, "query_only", true)?;
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((connection, found))
}

/// Returns whether an error means that this process may not write the log's shared memory.
fn is_write_protected(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
    )
}

/// Opens a database in a directory that this process may not write. Without a write-ahead log no process has it open, and it is read as it is.
fn without_writing(directory: &Path, path: &Path) -> Result<(Connection, i64), Error> {
    let log = directory.join(format!("{DATABASE_FILE}-wal"));
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(Error::LogUnreadable(directory.to_owned()));
    }
    // In an address these characters mean something (https://sqlite.org/uri.html).
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let address = PathBuf::from(format!("file:{path}?immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Ok(versioned(&address, flags)?)
}

/// A state directory that this process owns.
pub struct Database {
    directory: PathBuf,
    _lock: Lock,
}

impl Database {
    /// Takes ownership of a state directory, making it if need be.
    ///
    /// # Errors
    /// When another process owns it, or it cannot be used.
    pub fn own(directory: &Path) -> Result<Self, Error> {
        short_enough(directory)?;
        private::state_directory(directory)?;
        let lock = Lock::acquire(directory)?;
        let noted = Marker::read(directory)?;
        marker::check_file(directory, noted.as_ref())?;
        let path = directory.join(DATABASE_FILE);
        // Made here, so that nobody else may read it; SQLite gives its log the same mode.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private::open(&path, &mut options).map_err(Error::directory(&path))?;
        let database = Self { directory: directory.to_owned(), _lock: lock };
        let connection = database.connect()?;
        schema::prepare(&connection)?;
        let found = Marker::of(&connection)?;
        match noted {
            Some(noted) => noted.admits(&found, directory)?,
            None => found.write(directory)?,
        }
        key::import(&connection, directory)?;
        Ok(database)
    }

    /// Returns the state directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens a connection that writes. Every commit is on disk before it returns (`synchronous = full`).
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        let connection = Connection::open(self.directory.join(DATABASE_FILE))?;
        connection.busy_timeout(std::time::Duration::from_millis(OWNER_BUSY_MS))?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        // What moves within the file leaves no copy behind where that costs no more writing; whoever deletes asks for more.
        connection.pragma_update(None, "secure_delete", "fast")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    /// Opens a connection for short writes beside the process that owns the state.
    pub(crate) fn beside(directory: &Path) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(readable(directory)?, flags)?;
        connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(connection)
    }

    /// Opens a connection that only reads the state in a directory, whoever owns it.
    pub(crate) fn read(directory: &Path) -> Result<Connection, Error> {
        let path = readable(directory)?;
        // Reading a write-ahead log needs its shared memory, so the file is opened for writing where that is allowed.
        let (connection, found) = match versioned(&path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
            Err(error) if is_write_protected(&error) => without_writing(directory, &path)?,
            opened => opened?,
        };
        connection.set_prepared_statement_cache_capacity(32);
        if found == 0 {
            marker::check_file(directory, Marker::read(directory)?.as_ref())?;
            return Err(Error::NoState(directory.to_owned()));
        }
        if found != schema::FORMAT {
            return Err(Error::Format { found, known: schema::FORMAT });
        }
        // A temporary view is a write to SQLite, though not one to the file.
        connection.pragma_update(None, "query_only", false)?;
        schema::add_missing_columns(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runs::run_row::RunRow;
    use crate::state::readers::Reader;

    #[test]
    fn a_state_without_the_columns_that_came_later_is_read_and_upgraded() {
        let directory = tempfile::tempdir().unwrap();
        drop(Database::own(directory.path()).unwrap());
        let old = Connection::open(directory.path().join(DATABASE_FILE)).unwrap();
        old.execute_batch(
            "drop index oms_runs_caught; alter table oms_runs drop column caught; alter table oms_bundles drop column semantics;
             insert into oms_runs (id, key, digest, state, accepted_at, updated_at, bundle, body) values (1, 'A', x'00', 'completed', 0, 0, 1, x'')",
        )
        .unwrap();
        let caught = |reader: &Reader| {
            let row = RunRow::find(reader, "A").unwrap().unwrap();
            (row.caught, RunRow::count_caught(reader, None).unwrap())
        };
        assert_eq!(caught(&Reader::open(directory.path()).unwrap()), (0, 0));
        drop(Database::own(directory.path()).unwrap());
        assert_eq!(caught(&Reader::of(old)), (0, 0));
    }

    #[test]
    fn failed_steps_and_retries_of_an_older_state_come_from_its_journals() {
        let directory = tempfile::tempdir().unwrap();
        drop(Database::own(directory.path()).unwrap());
        let old = Connection::open(directory.path().join(DATABASE_FILE)).unwrap();
        old.execute_batch(
            r#"drop index oms_runs_failed; alter table oms_runs drop column failed_steps; alter table oms_runs drop column retries;
             insert into oms_runs (id, key, digest, state, accepted_at, updated_at, bundle, body)
             select value, 'K-' || value, x'00', 'parked', 0, 0, 1, x'' from json_each('[1, 2, 3]');
             insert into oms_journal values (1, 1, '[{"is":"failed","step":"bill"},{"is":"failed","step":"bill"}]');
             insert into oms_journal values (1, 2, '[{"is":"retried"},{"is":"failed","step":"mail"}]');
             insert into oms_journal values (2, 1, '[{"is":"succeeded","step":"bill"}]');
             insert into oms_journal values (3, 1, '[{"is":"failed","st');"#,
        )
        .unwrap();
        drop(Database::own(directory.path()).unwrap());
        let mut statement = old.prepare("select failed_steps, retries from oms_runs").unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        let rows: Vec<(Option<String>, Option<i64>)> = rows.map(Result::unwrap).collect();
        assert_eq!(rows, [(Some(",bill,mail,".to_owned()), Some(1)), (None, None), (None, None)]);
    }
}

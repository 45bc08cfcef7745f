//! The database file. One process owns it. Other processes can read it at the same time.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _};

use crate::error::Error;
use crate::state::key;
use crate::state::lock::Lock;
use crate::state::marker::{self, Marker};
use crate::state::private;
use crate::state::schema;

/// The name of the database in the state directory.
pub const DATABASE_FILE: &str = "oms.db";
/// The name of the search index in the state directory.
pub(crate) const INDEX_FILE: &str = "search.db";

/// Number of pages in the write-ahead log after which they are copied into the database file: 64
/// MiB. With a higher number, recovery after a crash takes longer. With a lower number, pages that
/// change often are copied more often.
const CHECKPOINT_PAGES: u32 = 8_192;
/// Page size in bytes. An order or an e-mail has a few thousand bytes, so a page of this size can
/// hold several.
const PAGE_BYTES: u32 = 8_192;
/// Size of the writer's page cache, in KiB.
const CACHE_KIB: i64 = 32_768;
/// Milliseconds that the owner waits for a lock of another program, such as the SQLite shell.
const OWNER_BUSY_MS: u64 = 60_000;
/// How long to wait for readers of the write-ahead log before it is emptied.
const LOG_BUSY: std::time::Duration = std::time::Duration::from_secs(2);
/// Milliseconds that a connection other than the writer's waits for a lock.
pub(crate) const BUSY_MS: u64 = 5_000;

/// Returns the name of the pipeline that a database belongs to.
pub(crate) fn pipeline_of(connection: &Connection) -> Result<Option<String>, Error> {
    let sql = "select value from oms_meta where name = 'pipeline'";
    Ok(connection.query_row(sql, [], |row| row.get(0)).optional()?)
}

/// Runs deletions so that the deleted content is overwritten, including content that fills whole
/// pages.
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

/// Empties the write-ahead log, which still contains deleted content. Waits up to [`LOG_BUSY`] for
/// other connections that read the log.
pub(crate) fn empty_log(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(LOG_BUSY)?;
    let busy = connection.query_row("pragma wal_checkpoint(truncate)", [], |row| row.get(0));
    connection.busy_timeout(std::time::Duration::from_millis(OWNER_BUSY_MS))?;
    if busy? { Err(Error::LogInUse) } else { Ok(()) }
}

/// Checks that SQLite can open the files of a state directory. The absolute path of the longest
/// one, `oms.db-journal`, must have fewer than 512 bytes (`MAX_PATHNAME` in SQLite's `os_unix.c`).
fn check_path_length(directory: &Path) -> Result<(), Error> {
    const PATH_MAX: usize = 511;
    let whole = std::path::absolute(directory).map_err(Error::directory(directory))?;
    let (bytes, max) =
        (whole.as_os_str().len(), PATH_MAX - "/".len() - DATABASE_FILE.len() - "-journal".len());
    if bytes > max { Err(Error::PathTooLong { bytes, max }) } else { Ok(()) }
}

/// Returns the path of a state directory's database if this process can read it.
pub(crate) fn readable(directory: &Path) -> Result<PathBuf, Error> {
    check_path_length(directory)?;
    let path = directory.join(DATABASE_FILE);
    match File::open(&path) {
        Ok(_) => Ok(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            Err(Error::NoState(directory.to_owned()))
        }
        Err(source) => Err(Error::Directory { path, source }),
    }
}

/// Opens a database for reading, and returns the connection and the database's format.
fn open_with_format(path: &Path, flags: OpenFlags) -> Result<(Connection, i64), rusqlite::Error> {
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    connection.pragma_update(None, "query_only", true)?;
    let found = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok((connection, found))
}

/// Returns whether an error means that this process has no write access to the shared memory of the
/// log.
fn is_write_protected(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied)
    )
}

/// Opens a database in a directory where this process has no write permission. If there is no
/// write-ahead log, no process has the database open, and its file is complete.
fn open_without_write_permission(
    directory: &Path,
    path: &Path,
) -> Result<(Connection, i64), Error> {
    let log = directory.join(format!("{DATABASE_FILE}-wal"));
    if std::fs::metadata(&log).is_ok_and(|log| log.len() > 0) {
        return Err(Error::LogUnreadable(directory.to_owned()));
    }
    // These characters are special in URIs (https://sqlite.org/uri.html).
    let path = path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let address = PathBuf::from(format!("file:{path}?immutable=1"));
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    Ok(open_with_format(&address, flags)?)
}

/// A state directory that this process owns.
pub struct Database {
    directory: PathBuf,
    _lock: Lock,
}

impl Database {
    /// Takes ownership of a state directory, and creates it if it is missing.
    ///
    /// # Errors
    /// Returns an error if another process owns the directory, or if it cannot be used.
    pub fn own(directory: &Path) -> Result<Self, Error> {
        check_path_length(directory)?;
        private::state_directory(directory)?;
        let lock = Lock::acquire(directory)?;
        let expected = Marker::read(directory)?;
        marker::check_file(directory, expected.as_ref())?;
        let path = directory.join(DATABASE_FILE);
        // The file is created here, so that only its owner can read it. SQLite gives its log the
        // same mode.
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        private::open(&path, &mut options).map_err(Error::directory(&path))?;
        let database = Self { directory: directory.to_owned(), _lock: lock };
        let connection = database.connect()?;
        schema::prepare(&connection)?;
        let found = Marker::of(&connection)?;
        match expected {
            Some(expected) => expected.admits(&found, directory)?,
            None => found.write(directory)?,
        }
        key::import(&connection, directory)?;
        Ok(database)
    }

    /// Returns the state directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Opens a connection for writing. Every commit is on disk before it returns (`synchronous =
    /// full`).
    pub(crate) fn connect(&self) -> Result<Connection, Error> {
        let connection = Connection::open(self.directory.join(DATABASE_FILE))?;
        connection.busy_timeout(std::time::Duration::from_millis(OWNER_BUSY_MS))?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", "full")?;
        // `fast` overwrites deleted content where that causes no additional writes. Deletions that
        // must overwrite all content use [`overwriting`].
        connection.pragma_update(None, "secure_delete", "fast")?;
        connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    /// Opens a connection for short writes while another process may own the state.
    pub(crate) fn connect_shared(directory: &Path) -> Result<Connection, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(readable(directory)?, flags)?;
        connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
        connection.pragma_update(None, "synchronous", "full")?;
        Ok(connection)
    }

    /// Opens a read-only connection to the state in a directory, even if another process owns it.
    pub(crate) fn read(directory: &Path) -> Result<Connection, Error> {
        let path = readable(directory)?;
        // Reading a write-ahead log requires access to its shared memory, so the file is opened for
        // writing if possible.
        let (connection, found) = match open_with_format(&path, OpenFlags::SQLITE_OPEN_READ_WRITE) {
            Err(error) if is_write_protected(&error) => {
                open_without_write_permission(directory, &path)?
            }
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
        // To SQLite, creating a temporary view is a write, although the file does not change.
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
    fn a_state_without_the_newer_columns_is_read_and_upgraded() {
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

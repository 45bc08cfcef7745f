//! A marker file next to the database. With it, a process detects a database that is empty,
//! outdated or from another state, or that has lost its write-ahead log.
//!
//! The database and the file store a random id and a commit counter. While orders arrive, about one
//! commit per second increments the counter, and the file is written after that commit. The file is
//! therefore never ahead of the database.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::error::Error;
use crate::state::database::DATABASE_FILE;
use crate::state::private;

/// The name of the marker file.
pub(crate) const MARKER_FILE: &str = "oms.state";
/// Files that exist only in a state directory that was already used.
const TRACES: [&str; 3] = ["keys.json", "search.db", "oms.db-wal"];
/// Minimum time between two increments of the counter.
const INTERVAL: Duration = Duration::from_secs(1);
const ID_BYTES: usize = 16;

/// The id of a state, and its commit counter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// The random id.
    state: String,
    /// The commit counter.
    commits: u64,
}

impl Marker {
    /// Reads the marker file of a state directory, or returns `None` if the file does not exist.
    pub(crate) fn read(directory: &Path) -> Result<Option<Self>, Error> {
        let path = directory.join(MARKER_FILE);
        match std::fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map(Some)
                .map_err(|error| Error::directory(&path)(error.into())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(Error::Directory { path, source }),
        }
    }

    /// Writes the marker file atomically.
    pub(crate) fn write(&self, directory: &Path) -> Result<(), Error> {
        let (path, next) =
            (directory.join(MARKER_FILE), directory.join(format!("{MARKER_FILE}.next")));
        let write = || {
            let mut options = OpenOptions::new();
            let mut file = private::open(&next, options.write(true).create(true).truncate(true))?;
            file.write_all(&serde_json::to_vec(self)?)?;
            file.sync_all()?;
            std::fs::rename(&next, &path)?;
            File::open(directory)?.sync_all()
        };
        write().map_err(Error::directory(&path))
    }

    /// Returns the marker that a database stores. A database without an id gets one.
    pub(crate) fn of(connection: &Connection) -> Result<Self, Error> {
        let mut id = [0; ID_BYTES];
        getrandom::fill(&mut id)
            .map_err(|error| Error::directory(Path::new(DATABASE_FILE))(error.into()))?;
        let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        connection.execute(
            "insert into oms_meta (name, value) values ('state', ?1) on conflict (name) do nothing",
            [id],
        )?;
        let state =
            connection.query_row("select value from oms_meta where name = 'state'", [], |row| {
                row.get(0)
            })?;
        Ok(Self { state, commits: count(connection)? })
    }

    /// Returns a marker whose counter is higher than the counters of both markers.
    pub(crate) fn after(self, before: Option<&Self>) -> Self {
        let commits = before.map_or(0, |before| before.commits).max(self.commits) + 1;
        Self { commits, ..self }
    }

    /// Stores the counter in a database.
    pub(crate) fn set(&self, connection: &Connection) -> Result<(), Error> {
        connection
            .prepare_cached(
                "insert into oms_meta (name, value) values ('commits', ?1) on conflict (name) do update set value = excluded.value",
            )?
            .execute([self.commits.to_string()])?;
        Ok(())
    }

    /// Checks the marker in a database against this marker from the marker file.
    pub(crate) fn admits(&self, found: &Self, directory: &Path) -> Result<(), Error> {
        if self.state != found.state {
            return Err(not_the_state(directory, "`oms.db` belongs to another state"));
        }
        if found.commits < self.commits {
            let why = "`oms.db` is an older copy, or `oms.db-wal` was deleted; accepted orders are missing";
            return Err(not_the_state(directory, why));
        }
        Ok(())
    }
}

fn count(connection: &Connection) -> Result<u64, Error> {
    let found: Option<String> = connection
        .query_row("select value from oms_meta where name = 'commits'", [], |row| row.get(0))
        .optional()?;
    Ok(found.and_then(|count| count.parse().ok()).unwrap_or(0))
}

fn not_the_state(directory: &Path, why: &str) -> Error {
    Error::NotTheState { path: directory.to_owned(), why: why.to_owned() }
}

/// Checks the database file before it is opened. If the state was used before, the file must exist
/// and must not be empty. It must not be truncated.
pub(crate) fn check_file(directory: &Path, marker: Option<&Marker>) -> Result<(), Error> {
    let bytes = |name: &str| std::fs::metadata(directory.join(name)).ok().map(|file| file.len());
    let used = marker.is_some() || TRACES.iter().any(|name| bytes(name).is_some_and(|len| len > 0));
    match bytes(DATABASE_FILE) {
        None if marker.is_some() => {
            return Err(not_the_state(directory, "`oms.db` is missing"));
        }
        Some(0) if used => return Err(not_the_state(directory, "`oms.db` is empty")),
        None | Some(0) => return Ok(()),
        Some(_) => {}
    }
    // With a write-ahead log, the file may be shorter than its header says.
    if bytes("oms.db-wal").is_some_and(|len| len > 0) {
        return Ok(());
    }
    match is_whole(&directory.join(DATABASE_FILE)) {
        Ok(false) => Err(not_the_state(directory, "`oms.db` is truncated")),
        // SQLite reports the fault of the file.
        Ok(true) | Err(_) => Ok(()),
    }
}

/// Returns whether a database file has as many pages as its header says
/// (<https://sqlite.org/fileformat2.html#the_database_header>).
fn is_whole(path: &Path) -> std::io::Result<bool> {
    let mut header = [0; 100];
    let mut file = File::open(path)?;
    std::io::Read::read_exact(&mut file, &mut header)?;
    let [size_high, size_low] = [header[16], header[17]].map(u64::from);
    let page = match size_high << 8 | size_low {
        1 => 65_536,
        size => size,
    };
    let number = |at: usize| {
        header
            .get(at..at + 4)
            .map_or(0, |bytes| bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    };
    // The number of pages is valid only if it was written together with the last change.
    let (pages, is_valid) = (number(28), number(24) == number(92));
    Ok(!is_valid || file.metadata()?.len() >= pages * page)
}

/// Increments the counter and writes the marker file while a database is in use.
pub(crate) struct Marking {
    directory: PathBuf,
    marker: Marker,
    /// The time of the last increment.
    moved: Option<Instant>,
    /// Whether there was a commit since the last increment.
    is_behind: bool,
}

impl Marking {
    pub(crate) fn begin(directory: &Path, connection: &Connection) -> Result<Self, Error> {
        let (directory, marker) = (directory.to_owned(), Marker::of(connection)?);
        Ok(Self { directory, marker, moved: None, is_behind: false })
    }

    /// Increments the counter within a transaction if the interval has passed. Call
    /// [`write`](Self::write) after the commit.
    pub(crate) fn step(&mut self, connection: &Connection) -> Result<Option<Marker>, Error> {
        self.is_behind = true;
        if self.moved.is_some_and(|moved| moved.elapsed() < INTERVAL) {
            return Ok(None);
        }
        self.last(connection)
    }

    /// Increments the counter within a transaction if there was a commit since the last increment.
    pub(crate) fn last(&self, connection: &Connection) -> Result<Option<Marker>, Error> {
        if !self.is_behind {
            return Ok(None);
        }
        let marker = self.marker.clone().after(None);
        marker.set(connection)?;
        Ok(Some(marker))
    }

    /// Writes the marker file after a commit.
    pub(crate) fn write(&mut self, marker: Marker) {
        // If this write fails, the file is behind the database, which is allowed. The next write
        // corrects it.
        let _behind = marker.write(&self.directory);
        (self.marker, self.moved) = (marker, Some(Instant::now()));
        self.is_behind = false;
    }
}

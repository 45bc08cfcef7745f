//! A note beside the database of which state it is and how far it came, so that no other database is taken for it: an empty one, an older one, or
//! one whose write-ahead log was deleted with what was accepted last.
//!
//! The database has a random id and a counter. While orders come in, a commit moves the counter about once a second, and then the note is
//! written; so the note is never ahead of the database that it is about.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension as _};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::database::DATABASE_FILE;
use crate::error::Error;
use crate::private;

/// The note's name in the state directory.
pub(crate) const MARKER_FILE: &str = "oms.state";
/// Files that only a state has that was used.
const TRACES: [&str; 3] = ["keys.json", "search.db", "oms.db-wal"];
/// Between two notes while orders come in.
const INTERVAL: Duration = Duration::from_secs(1);
const ID_BYTES: usize = 16;

/// Which state a database is, and how far it came.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// What tells it from others.
    state: String,
    /// How often the counter was moved.
    commits: u64,
}

impl Marker {
    /// Reads the note of a state directory; nothing if there is none.
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

    /// Writes the note, whole or not at all.
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

    /// Returns what a database says of itself; it gets an id if it has none.
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

    /// Returns a database's marker further on than both, once [`set`](Self::set) there.
    pub(crate) fn after(self, before: Option<&Self>) -> Self {
        let commits = before.map_or(0, |before| before.commits).max(self.commits) + 1;
        Self { commits, ..self }
    }

    /// Sets the counter of a database.
    pub(crate) fn set(&self, connection: &Connection) -> Result<(), Error> {
        connection
            .prepare_cached(
                "insert into oms_meta (name, value) values ('commits', ?1) on conflict (name) do update set value = excluded.value",
            )?
            .execute([self.commits.to_string()])?;
        Ok(())
    }

    /// Checks that a database is the one that the note is about.
    pub(crate) fn admits(&self, found: &Self, directory: &Path) -> Result<(), Error> {
        if self.state != found.state {
            return Err(not_the_state(directory, "`oms.db` is the database of another state"));
        }
        if found.commits < self.commits {
            let why = "`oms.db` is older than it was, or its log `oms.db-wal` was deleted, and orders that were accepted are missing";
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

/// Checks, before a database is opened, that the file is one that can have been left there: a state that was used has more than an empty file,
/// and a file is as long as it says.
pub(crate) fn check_file(directory: &Path, marker: Option<&Marker>) -> Result<(), Error> {
    let bytes = |name: &str| std::fs::metadata(directory.join(name)).ok().map(|file| file.len());
    let used = marker.is_some() || TRACES.iter().any(|name| bytes(name).is_some_and(|len| len > 0));
    match bytes(DATABASE_FILE) {
        None if marker.is_some() => {
            return Err(not_the_state(directory, "`oms.db` is not there"));
        }
        Some(0) if used => return Err(not_the_state(directory, "`oms.db` is empty")),
        None | Some(0) => return Ok(()),
        Some(_) => {}
    }
    // With a log the file may be behind.
    if bytes("oms.db-wal").is_some_and(|len| len > 0) {
        return Ok(());
    }
    match is_whole(&directory.join(DATABASE_FILE)) {
        Ok(false) => Err(not_the_state(directory, "`oms.db` was cut off")),
        // What it is instead, SQLite says.
        Ok(true) | Err(_) => Ok(()),
    }
}

/// Tells whether a database file has as many pages as its header says (<https://sqlite.org/fileformat2.html#the_database_header>).
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
    // The number of pages is only right if it was written with the last change.
    let (pages, is_right) = (number(28), number(24) == number(92));
    Ok(!is_right || file.metadata()?.len() >= pages * page)
}

/// The note of a database that is written to.
pub(crate) struct Marking {
    directory: PathBuf,
    marker: Marker,
    /// When the counter was moved last.
    moved: Option<Instant>,
    /// Whether something was committed since.
    is_behind: bool,
}

impl Marking {
    pub(crate) fn begin(directory: &Path, connection: &Connection) -> Result<Self, Error> {
        let (directory, marker) = (directory.to_owned(), Marker::of(connection)?);
        Ok(Self { directory, marker, moved: None, is_behind: false })
    }

    /// Moves the counter within a transaction, if that is due. Once it has committed, [`write`](Self::write) writes the note.
    pub(crate) fn step(&mut self, connection: &Connection) -> Result<Option<Marker>, Error> {
        self.is_behind = true;
        if self.moved.is_some_and(|moved| moved.elapsed() < INTERVAL) {
            return Ok(None);
        }
        self.last(connection)
    }

    /// Moves the counter within a transaction, if something was committed since it was moved last.
    pub(crate) fn last(&self, connection: &Connection) -> Result<Option<Marker>, Error> {
        if !self.is_behind {
            return Ok(None);
        }
        let marker = self.marker.clone().after(None);
        marker.set(connection)?;
        Ok(Some(marker))
    }

    /// Writes the note of a counter that was moved.
    pub(crate) fn write(&mut self, marker: Marker) {
        // A note that could not be written is behind, and the next one is not.
        let _behind = marker.write(&self.directory);
        (self.marker, self.moved) = (marker, Some(Instant::now()));
        self.is_behind = false;
    }
}

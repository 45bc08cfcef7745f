//! Restores a backup.

use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};

use oms_core::effects::cause;
use rusqlite::{Connection, OpenFlags};

use crate::error::Error;
use crate::state::database::{DATABASE_FILE, pipeline_of};
use crate::state::key;
use crate::state::lock::Lock;
use crate::state::marker::Marker;
use crate::state::private;
use crate::state::schema;

/// Prefixes of the names of the previous files, which are moved to a folder.
const PREVIOUS_FILES: [&str; 2] = ["oms.db", "search.db"];
/// The name of the copy of the backup during the restore.
const NEXT: &str = "restoring.db";

/// The result of a restore.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestoreReport {
    /// Number of runs that were in progress or waiting at the time of the backup, and are parked
    /// now.
    pub parked: usize,
    /// The folder with the previous files, if there were any.
    pub before: Option<PathBuf>,
}

/// Checks that a backup belongs to `pipeline`, and replaces the state in a directory with it. The
/// previous files are moved to a folder. Runs that were in progress or waiting at the time of the
/// backup are parked, because their e-mails may have been sent since then. Revoked keys stay
/// revoked.
///
/// # Errors
/// Returns an error if the backup is invalid, damaged or from another pipeline, if another process
/// uses the state, or if a file cannot be written.
pub fn restore(
    directory: &Path,
    backup: &Path,
    pipeline: Option<&str>,
) -> Result<RestoreReport, Error> {
    let not_a_backup =
        |why: &str| Error::NotABackup { path: backup.to_owned(), why: why.to_owned() };
    private::state_directory(directory)?;
    let _lock = Lock::acquire(directory)?;
    File::open(backup).map_err(Error::directory(backup))?;
    let next = directory.join(NEXT);
    let _left_by_a_crash = std::fs::remove_file(&next);
    let mut options = OpenOptions::new();
    private::open(&next, options.write(true).create_new(true)).map_err(Error::directory(&next))?;
    {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let copied = Connection::open_with_flags(backup, flags)
            .and_then(|copy| copy.execute("vacuum into ?1", [next.to_string_lossy()]));
        copied.map_err(|error| not_a_backup(&error.to_string()))?;
    }
    let connection = Connection::open(&next)?;
    let (entries, is_state): (i64, bool) = connection.query_row(
        "select count(*), coalesce(max(name = 'oms_meta'), false) from sqlite_schema",
        [],
        |row| Ok((row.get(0)?, row.get(1)?)),
    )?;
    if !is_state {
        let is_empty = entries == 0;
        return Err(not_a_backup(if is_empty {
            "the file is empty"
        } else {
            "it is a database of another program"
        }));
    }
    let result: String = connection.query_row("pragma quick_check(1)", [], |row| row.get(0))?;
    if result != "ok" {
        return Err(not_a_backup(&format!("the file is damaged: {result}")));
    }
    schema::prepare(&connection)?;
    let other = |name: &String| pipeline.is_some_and(|pipeline| pipeline != name);
    if let Some(name) = pipeline_of(&connection)?.filter(other) {
        return Err(not_a_backup(&format!("it belongs to the pipeline `{name}`")));
    }
    let parked = connection.execute(
        "update oms_runs set state = 'parked', cause = ?1, wait_until = null where state in ('in_progress', 'waiting')",
        [cause::RESTORED],
    )?;
    key::keep_revocations(&connection, directory)?;
    // Sessions that ended after the backup must not become valid again.
    connection.execute("delete from oms_sessions", [])?;
    // An unreadable marker file has no counter.
    let previous = Marker::read(directory).unwrap_or_default();
    let marker = Marker::of(&connection)?.after(previous.as_ref());
    marker.set(&connection)?;
    drop(connection);
    File::open(&next).and_then(|file| file.sync_all()).map_err(Error::directory(&next))?;
    let before = move_previous_files(directory)?;
    let path = directory.join(DATABASE_FILE);
    std::fs::rename(&next, &path).map_err(Error::directory(&path))?;
    marker.write(directory)?;
    Ok(RestoreReport { parked, before })
}

/// Moves the files of a state to a new folder in the state directory.
fn move_previous_files(directory: &Path) -> Result<Option<PathBuf>, Error> {
    let failed = Error::directory(directory);
    let entries = std::fs::read_dir(directory).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let names = entries.map_err(failed)?.into_iter().map(|entry| entry.file_name());
    let files: Vec<_> = names
        .filter(|name| {
            let name = name.to_string_lossy();
            PREVIOUS_FILES.iter().any(|prefix| name.starts_with(prefix))
        })
        .collect();
    if files.is_empty() {
        return Ok(None);
    }
    let folders = (1..).map(|number| directory.join(format!("before-restore-{number}")));
    let Some(folder) = folders.into_iter().find(|folder| !folder.exists()) else { return Ok(None) };
    private::create_directory(&folder)?;
    for name in files {
        let (from, to) = (directory.join(&name), folder.join(&name));
        std::fs::rename(&from, &to).map_err(Error::directory(&from))?;
    }
    Ok(Some(folder))
}

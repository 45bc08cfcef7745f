//! Backs up a state while its owner keeps running.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use super::database::{BUSY_MS, readable};
use super::private;
use crate::error::Error;

/// Writes a compact copy of a state's database while its owner keeps running. The copy is written
/// to a temporary file and then linked to its name.
///
/// # Errors
/// Returns an error if there is no state, if the file already exists, or if the copy cannot be
/// written.
pub fn backup(directory: &Path, copy: &Path) -> Result<(), Error> {
    let path = readable(directory)?;
    // Only the partial file of an interrupted backup is overwritten.
    if copy.symlink_metadata().is_ok() {
        let exists = "the file already exists; choose another name";
        let error = std::io::Error::new(std::io::ErrorKind::AlreadyExists, exists);
        return Err(Error::directory(copy)(error));
    }
    let mut part = copy.as_os_str().to_owned();
    part.push(".part");
    let part = PathBuf::from(part);
    let _left_by_a_crash = std::fs::remove_file(&part);
    // Only the owner can read the file.
    let file = private::open(&part, OpenOptions::new().write(true).create_new(true));
    let file = file.map_err(Error::directory(&part))?;
    let connection = Connection::open_with_flags(
        &path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(std::time::Duration::from_millis(BUSY_MS))?;
    if let Err(error) = connection.execute("vacuum into ?1", [part.to_string_lossy()]) {
        let _ignored = std::fs::remove_file(&part);
        return Err(error.into());
    }
    let named = file.sync_all().and_then(|()| {
        // The link fails if the file was created in the meantime; a rename would overwrite it.
        std::fs::hard_link(&part, copy)?;
        std::fs::remove_file(&part)
    });
    named.map_err(Error::directory(copy))
}

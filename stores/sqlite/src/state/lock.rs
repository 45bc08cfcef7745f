//! A lock that limits a state directory to one owner. The system releases it when the process ends,
//! for whatever reason.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::error::Error;
use crate::state::private;

/// The lock on a state directory. Dropping it releases the lock.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    pub(crate) fn acquire(directory: &Path) -> Result<Self, Error> {
        let path = directory.join("oms.lock");
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        let mut file = private::open(&path, &mut options).map_err(Error::directory(&path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // The process id only improves the message; the error is correct without it.
                let _unread = file.read_to_string(&mut owner);
                let owner = owner.trim();
                let owner = match owner.is_empty() {
                    true => "another process".to_owned(),
                    false => format!("process {owner}"),
                };
                return Err(Error::Locked { path: directory.to_owned(), owner });
            }
            Err(TryLockError::Error(source)) => return Err(Error::Directory { path, source }),
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.seek(SeekFrom::Start(0))?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).map_err(Error::directory(&path))?;
        Ok(Self { _file: file })
    }
}

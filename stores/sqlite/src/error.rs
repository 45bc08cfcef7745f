//! What goes wrong with the state directory and its database.

use std::path::PathBuf;

use oms_core::effects::cause;
use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMSIZE};

/// A failure of the environment; repeating the call is safe.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database refused.
    #[error("the database cannot be used")]
    Database(#[from] rusqlite::Error),
    /// The disk is full.
    #[error(
        "the disk is full; free some space and run the command again (no accepted order is lost)"
    )]
    FullDisk,
    /// The state directory cannot be used.
    #[error("`{path}` cannot be used")]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another process owns the state directory.
    #[error("`{path}` is in use by process {owner}; wait for it, or stop it")]
    Locked {
        /// The state directory.
        path: PathBuf,
        /// The other process, as far as it is known.
        owner: String,
    },
    /// SQLite cannot open a file with such a path.
    #[error(
        "the path of the state directory has {bytes} bytes, and SQLite opens files in it up to {max}; give a shorter `--state-dir`, such as a relative one or a link"
    )]
    PathTooLong {
        /// Its length.
        bytes: usize,
        /// The length that is possible.
        max: usize,
    },
    /// The state directory contains another state, or none, although it was used before.
    #[error(
        "`{path}` does not contain the expected state: {why}; restore a backup with `oms db restore PIPELINE BACKUP`, or delete the directory to start a new state"
    )]
    NotTheState {
        /// The state directory.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file is not a usable backup.
    #[error("`{path}` is not a backup of this pipeline: {why}")]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// There is no database yet.
    #[error("`{0}` holds no state; `oms run` makes it")]
    NoState(PathBuf),
    /// The state has a write-ahead log, which only a process that may write the directory can read.
    #[error(
        "`{0}` has commits in `oms.db-wal` that only a process with write permission can read; run the command as the owner, or let the owner run any `oms` command first"
    )]
    LogUnreadable(PathBuf),
    /// The database was made by a newer program.
    #[error("the database has format {found}, and this program knows {known}; use a newer `oms`")]
    Format {
        /// The database's format.
        found: i64,
        /// The newest that is known.
        known: i64,
    },
    /// A table was declared in another way when it was made.
    #[error("the table `{table}` exists with other columns: {difference}")]
    Table {
        /// The table.
        table: String,
        /// What differs, in words.
        difference: String,
    },
    /// The state directory belongs to another pipeline.
    #[error(
        "the state directory belongs to the pipeline `{0}`; give another one with `--state-dir`"
    )]
    OtherPipeline(String),
    /// The state's runs are of another world.
    #[error(
        "what the runs of this state did is in the world `{before}`, not in `{now}`; say `--target {before}`, or give another `--state-dir`"
    )]
    OtherTarget {
        /// The world of its runs.
        before: String,
        /// The world that was asked for.
        now: &'static str,
    },
    /// Mail went out before, and now nobody says whether it is to.
    #[error(
        "mails of this state were sent by a server: say `--mail smtp` to send more, or `--mail outbox` to keep them here"
    )]
    MailUnsaid,
    /// A stored bundle cannot be planned any more.
    #[error("the stored pipeline {0} cannot be read by this program")]
    Bundle(String),
    /// The stored data of a run is unreadable or was changed.
    #[error("the run `{key}` is damaged: {why}")]
    Damaged {
        /// The order's key.
        key: String,
        /// Why.
        why: String,
    },
    /// The stored data of a bundle is missing or was changed.
    #[error("the stored pipeline {bundle} is damaged: {why}")]
    DamagedBundle {
        /// Its row.
        bundle: i64,
        /// Why.
        why: &'static str,
    },
    /// The tables are elsewhere, and there they cannot be used.
    #[error("the tables on `{name}` cannot be used")]
    Elsewhere {
        /// The world that they are in.
        name: &'static str,
        /// Why.
        source: oms_core::effects::StepError,
    },
    /// Somebody reads what was there before.
    #[error(
        "it is forgotten, but not yet overwritten in `oms.db-wal`, since another process reads that; say it again when it has ended"
    )]
    StillRead,
    /// The writer ended.
    #[error("the database writer stopped: {0}")]
    WriterStopped(String),
}

impl Error {
    /// Returns the cause with which a run is parked after this error, or `None` if the error affects more than one run.
    pub const fn parks(&self) -> Option<&'static str> {
        match self {
            // A newer program may understand less of an old pipeline.
            Self::Bundle(_) => Some(cause::PLAN),
            Self::Damaged { .. } | Self::DamagedBundle { .. } => Some(cause::DAMAGED),
            _ => None,
        }
    }

    /// Returns whether the disk is full.
    pub fn is_full_disk(&self) -> bool {
        let code = match self {
            Self::FullDisk => return true,
            Self::Database(error) => error.sqlite_error().map(|error| error.extended_code),
            _ => None,
        };
        matches!(code, Some(SQLITE_FULL | SQLITE_IOERR_SHMSIZE))
    }

    /// Wraps an I/O error of a directory or a file in it.
    pub fn directory(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Directory { path, source }
    }
}

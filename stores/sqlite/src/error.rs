//! Errors of the state directory and its database.

use std::path::PathBuf;

use oms_core::effects::cause;
use rusqlite::ffi::{SQLITE_FULL, SQLITE_IOERR_SHMSIZE};

/// An error of the state directory or its database. Calls can be repeated safely.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The database returned an error.
    #[error("cannot use the database")]
    Database(#[from] rusqlite::Error),
    /// Settings of the pipeline have no valid value. Contains the reasons.
    #[error("{0}")]
    Settings(String),
    /// The disk is full.
    #[error(
        "the disk is full; free some space and run the command again (no accepted order is lost)"
    )]
    FullDisk,
    /// The state directory cannot be used.
    #[error("cannot use `{path}`")]
    Directory {
        /// The directory or file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// Another process owns the state directory.
    #[error("`{path}` is in use by {owner}; wait for it, or stop it")]
    Locked {
        /// The state directory.
        path: PathBuf,
        /// The owner, as text: `process` with its id, or `another process` if the id is unknown.
        owner: String,
    },
    /// The path is too long for SQLite.
    #[error(
        "the absolute path of the state directory has {bytes} bytes, and SQLite supports at most {max}; use a directory with a shorter path"
    )]
    PathTooLong {
        /// The length of the path.
        bytes: usize,
        /// The maximum length.
        max: usize,
    },
    /// The state directory contains another state, or it was used before and contains no state.
    #[error(
        "`{path}` does not contain the expected state: {why}; restore a backup with `oms db restore PIPELINE BACKUP`, or delete the directory to start a new state"
    )]
    StateMismatch {
        /// The state directory.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// A file is not a usable backup.
    #[error("`{path}` is not a backup of this pipeline: {why}")]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: String,
    },
    /// The database does not exist.
    #[error("`{0}` contains no state; create it with `oms run`")]
    NoState(PathBuf),
    /// The state has a write-ahead log, which only a process with write permission can read.
    #[error(
        "`{0}` has commits in `oms.db-wal` that only a process with write permission can read; run the command as the owner, or let the owner run any `oms` command first"
    )]
    LogUnreadable(PathBuf),
    /// The database was created by a newer version of this program.
    #[error(
        "the database has format {found}, and this version of `oms` supports formats up to {known}; use a newer version"
    )]
    Format {
        /// The database's format.
        found: i64,
        /// The newest format that this program supports.
        known: i64,
    },
    /// The table in the database differs from its declaration.
    #[error("the table `{table}` differs from its declaration: {difference}")]
    Table {
        /// The table.
        table: String,
        /// The differences, as text.
        difference: String,
    },
    /// The state directory belongs to another pipeline.
    #[error(
        "the state directory belongs to the pipeline `{0}`; choose another directory with `--state-dir`"
    )]
    OtherPipeline(String),
    /// The runs of the state use another target.
    #[error(
        "the runs of this state use the target `{before}`, not `{now}`; use `--target {before}`, or choose another directory with `--state-dir`"
    )]
    OtherTarget {
        /// The target of the runs.
        before: String,
        /// The requested target.
        now: &'static str,
    },
    /// The state was last used with a mail server, and now no choice is made.
    #[error(
        "this state was last used with a mail server; use `--mail smtp` to continue sending e-mails, or `--mail outbox` to keep them in the outbox"
    )]
    MailNotConfigured,
    /// This program cannot make a plan from a stored bundle.
    #[error("this program cannot read the stored pipeline {0}")]
    Bundle(String),
    /// The stored data of a run is unreadable or was changed.
    #[error("the run `{key}` is damaged: {why}")]
    Damaged {
        /// The order's key.
        key: String,
        /// The reason.
        why: String,
    },
    /// The stored data of a bundle is missing or was changed.
    #[error("the stored pipeline {bundle} is damaged: {why}")]
    DamagedBundle {
        /// The bundle's row.
        bundle: i64,
        /// The reason.
        why: &'static str,
    },
    /// The tables are on another server, and the server failed.
    #[error("cannot use the tables on `{name}`")]
    RemoteTables {
        /// The target.
        name: &'static str,
        /// The reason.
        source: oms_core::effects::StepError,
    },
    /// Another process still reads the write-ahead log, so the log could not be emptied.
    #[error(
        "the data is erased, but `oms.db-wal` still contains it, because another process is reading that file; run the command again when that process has ended"
    )]
    LogInUse,
    /// The writer stopped.
    #[error("the database writer stopped: {0}")]
    WriterStopped(String),
}

impl Error {
    /// Returns the cause with which a run is parked after this error, or `None` if the error may
    /// affect other runs.
    pub const fn park_cause(&self) -> Option<&'static str> {
        match self {
            // A newer version may no longer support an old pipeline.
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

    /// Returns a function that wraps an I/O error of a directory or file.
    pub fn directory(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Directory { path, source }
    }
}

//! Requests to the process that owns a state directory, over a socket in that directory: one line
//! of JSON for the request and one for the response.
//!
//! Only the user who owns the directory can access it. A process that can reach the socket
//! therefore has that user's permissions.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use oms_engine::run::RunState;
use oms_sqlite::{Error, RunRow};
use serde::{Deserialize, Serialize};

use crate::admission::WorkResult;
use crate::operations::{ForgetResult, HeldDecision, OperationError};

/// The socket's name in the state directory.
const SOCKET: &str = "control.sock";

/// A request to the owner of a state directory.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Request {
    /// Retry runs.
    Retry {
        /// The rows of the runs.
        runs: Vec<i64>,
        /// The user's decision about steps with an unknown outcome.
        held: Option<HeldDecision>,
    },
    /// Add rows to a table, and replace rows with the same key.
    Import {
        /// The table.
        table: String,
        /// The rows, as NDJSON.
        rows: String,
    },
    /// Delete runs that ended before an instant, in milliseconds since 1970.
    Prune {
        /// The instant.
        before: i64,
    },
    /// Erase a customer's personal data.
    Forget {
        /// The customer's id or e-mail address.
        who: String,
        /// Whether to list what would be erased instead of erasing it.
        dry_run: bool,
    },
    /// Cancel runs.
    Cancel {
        /// The rows of the runs.
        runs: Vec<i64>,
    },
}

/// The result for one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    /// The order's key.
    pub key: String,
    /// The run's state.
    pub state: RunState,
    /// Why the run is parked; for a completed run, the causes that were caught.
    pub cause: Option<String>,
    /// Number of failures that a catch step has handled.
    #[serde(default)]
    pub caught: u32,
    /// Why the request was refused, as text.
    pub refused: Option<String>,
}

impl Done {
    /// Returns the result of an operation on a run.
    ///
    /// # Errors
    /// Returns an error if the store failed.
    pub fn of<R: std::error::Error>(
        row: &RunRow,
        result: Result<WorkResult, OperationError<R>>,
    ) -> Result<Self, Error> {
        let unchanged = Self {
            key: row.key.clone(),
            state: row.state,
            cause: row.cause.clone(),
            caught: row.caught,
            refused: None,
        };
        Ok(match result {
            Ok(WorkResult::Run { state, cause, caught, .. }) => {
                Self { state, cause, caught, ..unchanged }
            }
            Ok(_) => unchanged,
            Err(OperationError::Refused(why)) => {
                Self { refused: Some(why.to_string()), ..unchanged }
            }
            Err(OperationError::Store(error)) => return Err(error),
        })
    }
}

/// A response.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// The result for each run.
    Done(Vec<Done>),
    /// The number of deleted runs.
    Pruned(u64),
    /// What was or would be erased.
    Forgotten(ForgetResult),
    /// Why the request failed.
    Failed(String),
}

/// Maximum length of a socket's path in bytes: `sun_path` in unix(7) without the terminating null
/// byte, and the limit of macOS.
const PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Returns the path of the socket of a state directory.
pub fn socket(directory: &Path) -> PathBuf {
    directory.join(SOCKET)
}

/// Calls `open` with a path to the socket of a state directory that is short enough for the system.
/// If the path itself is too long, the socket is reached through the open directory.
///
/// # Errors
/// Returns an error if `open` fails, or if the path is too long and the system has no
/// `/proc/self/fd`.
pub fn at_socket<T>(
    directory: &Path,
    open: impl FnOnce(&Path) -> std::io::Result<T>,
) -> std::io::Result<T> {
    let path = socket(directory);
    let length = path.as_os_str().len();
    if length <= PATH_BYTES_MAX {
        return open(&path);
    }
    let opened = File::open(directory)?;
    let descriptors = Path::new("/proc/self/fd");
    if !descriptors.exists() {
        let message = format!(
            "the path of the socket has {length} bytes, and the maximum is {PATH_BYTES_MAX}; use a shorter `--state-dir`"
        );
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
    }
    open(&descriptors.join(opened.as_raw_fd().to_string()).join(SOCKET))
}

/// Sends a request to the owner of a state directory. Returns `None` if no process listens there.
///
/// # Errors
/// Returns an error if the owner cannot be reached, disconnects, or sends an invalid response.
pub fn ask(directory: &Path, request: &Request) -> std::io::Result<Option<Response>> {
    let mut stream = match at_socket(directory, |path| UnixStream::connect(path)) {
        Ok(stream) => stream,
        Err(error)
            if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) =>
        {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer)?;
    Ok(Some(serde_json::from_str(&answer)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_socket_works_in_a_directory_with_a_path_of_any_length() {
        let scratch = tempfile::tempdir().unwrap();
        for length in [1, 60, 200] {
            let directory = scratch.path().join("x".repeat(length));
            std::fs::create_dir(&directory).unwrap();
            let absent = at_socket(&directory, |path| UnixStream::connect(path));
            assert_eq!(absent.unwrap_err().kind(), ErrorKind::NotFound);
            let listener = at_socket(&directory, |path| UnixListener::bind(path)).unwrap();
            assert!(socket(&directory).exists());
            at_socket(&directory, |path| UnixStream::connect(path)).unwrap();
            listener.accept().unwrap();
        }
    }
}

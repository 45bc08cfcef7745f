//! Asking the process that owns a state directory to do something: a socket in it, one line of JSON there and one back.
//!
//! The directory is nobody else's, so that whoever can reach the socket may do what the owner may.

use std::fs::File;
use std::io::{BufRead as _, BufReader, ErrorKind, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use oms_engine::run::RunState;
use oms_sqlite::RunRow;
use serde::{Deserialize, Serialize};

use crate::admission::Settled;
use crate::operations::{Forgetting, Held};

/// The socket's name in the state directory.
const SOCKET: &str = "control.sock";

/// What is asked for.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do")]
pub enum Request {
    /// To try runs again.
    Retry {
        /// The rows of the runs.
        runs: Vec<i64>,
        /// What a person says about steps of which it is not known whether they did what they were to do.
        held: Option<Held>,
    },
    /// To add rows to a table, replacing those with the same key.
    Import {
        /// The table.
        table: String,
        /// The rows, as NDJSON.
        rows: String,
    },
    /// To let go of runs that ended before an instant, in milliseconds since 1970.
    Prune {
        /// The instant.
        before: i64,
    },
    /// To forget a customer.
    Forget {
        /// The customer's id or e-mail address.
        who: String,
        /// Whether nothing is erased, but listed.
        dry_run: bool,
    },
    /// To end runs.
    Cancel {
        /// The rows of the runs.
        runs: Vec<i64>,
    },
}

/// What became of one run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Done {
    /// The order's key.
    pub key: String,
    /// How far it is.
    pub state: RunState,
    /// Why it is parked; of a completed run, what was caught.
    pub cause: Option<String>,
    /// Failures that a catch step has handled.
    #[serde(default)]
    pub caught: u32,
    /// Why nothing was done, in words.
    pub refused: Option<String>,
}

impl Done {
    /// Says what became of a run.
    pub fn of<E: std::fmt::Display>(row: &RunRow, result: Result<Settled, E>) -> Self {
        let unchanged = Self {
            key: row.key.clone(),
            state: row.state,
            cause: row.cause.clone(),
            caught: row.caught,
            refused: None,
        };
        match result {
            Ok(Settled::Run { state, cause, caught, .. }) => {
                Self { state, cause, caught, ..unchanged }
            }
            Ok(_) => unchanged,
            Err(why) => Self { refused: Some(why.to_string()), ..unchanged },
        }
    }
}

/// What is answered.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// What became of each run.
    Done(Vec<Done>),
    /// How many runs were let go of.
    Pruned(u64),
    /// What was or would be forgotten.
    Forgotten(Forgetting),
    /// Why it could not be done.
    Failed(String),
}

/// Maximum length of a socket's path in bytes: `sun_path` in unix(7) without its end, and that of macOS.
const PATH_BYTES_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// Names the socket of a state directory.
pub fn socket(directory: &Path) -> PathBuf {
    directory.join(SOCKET)
}

/// Calls `open` with a path to the socket of a state directory that is short enough for the system. Where the path itself is too long, it leads over
/// the open directory.
///
/// # Errors
/// What `open` returns, or that the path is too long and the system knows no other one.
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
            "the path has {length} bytes, and that of a socket at most {PATH_BYTES_MAX}: use a shorter `--state-dir`"
        );
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, message));
    }
    open(&descriptors.join(opened.as_raw_fd().to_string()).join(SOCKET))
}

/// Asks the owner of a state directory; nothing if nobody listens there.
///
/// # Errors
/// When the owner cannot be reached, breaks off, or does not understand.
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
    fn the_length_of_the_directory_does_not_matter() {
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

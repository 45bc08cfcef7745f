//! Why a server does not start, or why it stops with an error.

use std::path::PathBuf;

use oms_engine::diagnostic::quote;

use super::source::InvalidPipeline;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A pipeline has no intake.
    #[error(
        "the pipeline `{0}` has no `intake`, so it cannot accept orders over HTTP; add `intake: {{ path: \"/{0}/{{key}}\" }}`"
    )]
    NoIntake(String),
    /// The path of a pipeline is reserved.
    #[error(
        "the intake path of `{pipeline}` starts with `{path}`, which is reserved for the server; use another path"
    )]
    Reserved {
        /// The pipeline.
        pipeline: String,
        /// The path.
        path: &'static str,
    },
    /// Other machines can connect, and the pipeline has no API key.
    #[error(
        "a server that other machines can reach requires API keys, and the pipeline `{pipeline}` has none; create a key: `oms keys add {} --state-dir {} shop`",
        quote(file),
        quote(directory)
    )]
    NoKeys {
        /// The pipeline.
        pipeline: String,
        /// Its file.
        file: String,
        /// Its state directory.
        directory: String,
    },
    /// The state of a pipeline cannot be used.
    #[error("cannot use the state of `{pipeline}`")]
    State {
        /// The pipeline.
        pipeline: String,
        /// Why.
        source: oms_sqlite::Error,
    },
}

/// Why a running server stops with an error.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// The database of a pipeline failed.
    #[error("the pipeline `{pipeline}` stopped")]
    Runner {
        /// The pipeline.
        pipeline: String,
        /// Why.
        source: oms_sqlite::Error,
    },
    /// The socket for the command line cannot be created.
    #[error("cannot create the socket `{path}` for the command line")]
    Socket {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The listener failed.
    #[error("cannot accept connections")]
    Listen(#[from] std::io::Error),
    /// A task of the server panicked.
    #[error("a task of the server failed")]
    Task(#[from] tokio::task::JoinError),
}

/// A request that failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RequestError {
    /// The state cannot be used.
    #[error(transparent)]
    Store(#[from] oms_sqlite::Error),
    /// The pipeline file has errors.
    #[error(transparent)]
    Pipeline(#[from] InvalidPipeline),
    /// The pipeline has no table with this name.
    #[error("the served pipeline has no such table")]
    NoTable,
    /// A row to import is invalid.
    #[error("{0}")]
    Row(String),
    /// The time is out of range.
    #[error(transparent)]
    Time(#[from] jiff::Error),
    /// The task that reads the pipeline file failed.
    #[error(transparent)]
    Task(#[from] tokio::task::JoinError),
}

/// Returns the message of an error with those of its sources.
pub(crate) fn with_sources(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}

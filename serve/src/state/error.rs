//! Why a server does not start or stops.

use std::path::PathBuf;

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
        "a server that other machines can reach requires API keys, and the pipeline `{pipeline}` has none; create a key: `oms keys add PIPELINE NAME --state-dir {directory}`"
    )]
    NoKeys {
        /// The pipeline.
        pipeline: String,
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

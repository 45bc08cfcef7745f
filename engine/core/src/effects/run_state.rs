//! The state of a run, and its id.

use serde::{Deserialize, Serialize};

use crate::value::Digest;

/// The state of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// A step can run now.
    InProgress,
    /// No step can run until a certain time.
    Waiting,
    /// All steps have ended, and every failure was caught.
    Completed,
    /// A step failed permanently, and the failure was not caught. A user must fix the cause.
    Parked,
    /// A user cancelled the run.
    Cancelled,
}

impl RunState {
    /// All states, in the order in which they are listed.
    pub const ALL: [Self; 5] =
        [Self::InProgress, Self::Waiting, Self::Completed, Self::Parked, Self::Cancelled];

    /// Returns the name of the state.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Parked => "parked",
            Self::Cancelled => "cancelled",
        }
    }

    /// Parses the name of a state.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Returns the id of a run, which is derived from the pipeline's name and the order's key.
pub fn run_id(pipeline: &str, key: &str) -> String {
    Digest::of_parts([pipeline.as_bytes(), key.as_bytes()]).short()
}

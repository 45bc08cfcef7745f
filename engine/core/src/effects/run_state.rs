//! The state of a run, and its id.

use serde::{Deserialize, Serialize};

use crate::value::Digest;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Something can go on now.
    InProgress,
    /// Nothing can go on before an instant.
    Waiting,
    /// All that was to be done is done.
    Completed,
    /// Something failed for good; somebody must look at it.
    Parked,
    /// Somebody ended it.
    Cancelled,
}

impl RunState {
    /// All states, in the order in which they are listed.
    pub const ALL: [Self; 5] =
        [Self::InProgress, Self::Waiting, Self::Completed, Self::Parked, Self::Cancelled];

    /// Returns the state's name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InProgress => "in_progress",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Parked => "parked",
            Self::Cancelled => "cancelled",
        }
    }

    /// Reads a state's name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == name)
    }
}

/// Returns the id of a run, which follows from the pipeline's name and the order's key.
pub fn run_id(pipeline: &str, key: &str) -> String {
    Digest::of_parts([pipeline.as_bytes(), key.as_bytes()]).short()
}

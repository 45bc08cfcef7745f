//! Whoever wants to know what runs do, as soon as it is on disk.

use oms_engine::effects::RunInfo;
use oms_engine::run::{Event, RunState};

/// Hears of every stretch of every run.
pub trait Listener: Send + Sync {
    /// A stretch of a run is on disk: what happened in it, and how far the run is. It must not wait.
    fn committed(&self, run: &RunInfo, events: &[Event], state: RunState);
}

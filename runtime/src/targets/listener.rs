//! Notifications about committed events of runs.

use oms_engine::effects::RunInfo;
use oms_engine::run::{Event, RunState};

/// Receives every committed stretch of every run.
pub trait Listener: Send + Sync {
    /// Called when a stretch of a run is on disk, with the events of the stretch and the state of
    /// the run. It must not block.
    fn committed(&self, run: &RunInfo, events: &[Event], state: RunState);
}

//! The results that a runner reports.

use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::run::RunState;

/// The result of an order or of an earlier run.
#[derive(Clone, Debug)]
pub enum WorkResult {
    /// The order was not accepted.
    Rejected,
    /// The same order was already accepted.
    Duplicate,
    /// Another order with this key was already accepted.
    Conflict,
    /// A run has ended, or cannot continue for now.
    Run {
        /// The order's key.
        key: Arc<str>,
        /// Whether an earlier process accepted the order.
        resumed: bool,
        /// The state that the run reached.
        state: RunState,
        /// Why the run is parked; for a completed run, the causes that were caught.
        cause: Option<String>,
        /// Number of failures that a catch step has handled.
        caught: u32,
    },
    /// A run waits for its next attempt.
    Waiting {
        /// Whether an earlier process accepted the order.
        resumed: bool,
    },
    /// A run that waited in this process continues.
    Resumed {
        /// Whether an earlier process accepted the order.
        resumed: bool,
    },
    /// Only waiting runs are left.
    OnlyWaiting {
        /// The row of the run that continues first.
        id: i64,
        /// When it continues.
        until: Timestamp,
    },
}

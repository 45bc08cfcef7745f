//! What a runner reports.

use std::sync::Arc;

use jiff::Timestamp;
use oms_engine::run::RunState;

/// What became of an order or of a run from before.
#[derive(Clone, Debug)]
pub enum Settled {
    /// The order was not accepted.
    Rejected,
    /// The same order was there already.
    Duplicate,
    /// Another order with that key was there already.
    Conflict,
    /// A run came as far as it can now.
    Run {
        /// The order's key.
        key: Arc<str>,
        /// Whether it was there before.
        resumed: bool,
        /// How far it came.
        state: RunState,
        /// Why it is parked; if it completed, what was caught.
        cause: Option<String>,
        /// Failures that a catch step has handled.
        caught: u32,
    },
    /// A run waits, to be tried again later.
    Waits {
        /// Whether it was there before.
        resumed: bool,
    },
    /// A run that waited in this process goes on.
    GoesOn {
        /// Whether it was there before.
        resumed: bool,
    },
    /// Nothing is left to do but to wait for runs that are tried again later.
    OnlyWaits {
        /// The row of the run that goes on first.
        id: i64,
        /// When it does.
        until: Timestamp,
    },
}

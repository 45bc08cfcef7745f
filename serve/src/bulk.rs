//! Trying many parked runs again, in the background.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use oms_engine::run::RunState;
use oms_local::RunRow;

use crate::site::Site;

/// How far it is; one at a time for each pipeline.
#[derive(Default)]
pub(crate) struct Bulk {
    running: AtomicBool,
    of: AtomicUsize,
    done: AtomicUsize,
    parked: AtomicUsize,
}

/// How far it is, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) running: bool,
    pub(crate) of: usize,
    pub(crate) done: usize,
    pub(crate) parked: usize,
}

impl Bulk {
    pub(crate) fn progress(&self) -> Progress {
        let get = |number: &AtomicUsize| number.load(Ordering::SeqCst);
        let running = self.running.load(Ordering::SeqCst);
        Progress { running, of: get(&self.of), done: get(&self.done), parked: get(&self.parked) }
    }

    /// Begins; nothing if one is under way.
    pub(crate) fn begin(&self, of: usize) -> bool {
        if self.running.swap(true, Ordering::SeqCst) {
            return false;
        }
        self.done.store(0, Ordering::SeqCst);
        self.parked.store(0, Ordering::SeqCst);
        self.of.store(of, Ordering::SeqCst);
        true
    }
}

impl Site {
    /// Tries runs of a flow again, one after the other, until the server ends.
    pub(crate) async fn retry_all(&self, at: usize, rows: Vec<RunRow>) {
        let Some(flow) = self.flows.get(at) else { return };
        for row in rows {
            if self.is_stopping() {
                break;
            }
            let retried = flow.retry(&row, None).await;
            let parked = retried.is_ok_and(|done| done.state == RunState::Parked);
            flow.bulk.parked.fetch_add(usize::from(parked), Ordering::SeqCst);
            flow.bulk.done.fetch_add(1, Ordering::SeqCst);
        }
        flow.bulk.running.store(false, Ordering::SeqCst);
    }
}

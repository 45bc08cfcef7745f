//! Trying many parked runs again, in the background.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oms_engine::run::RunState;
use oms_local::RunRow;
use tokio::time::Instant;

use crate::site::Site;

/// How long it is shown what came of it.
const SHOWN: Duration = Duration::from_secs(5 * 60);

/// How far it is; one at a time for each pipeline.
#[derive(Default)]
pub(crate) struct Bulk {
    running: AtomicBool,
    ended: Mutex<Option<Instant>>,
    of: AtomicUsize,
    done: AtomicUsize,
    parked: AtomicUsize,
}

/// How far it is, at one moment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    pub(crate) running: bool,
    /// How many there are in all; 0 if none was tried of late.
    pub(crate) of: usize,
    pub(crate) done: usize,
    pub(crate) parked: usize,
}

impl Bulk {
    pub(crate) fn progress(&self) -> Progress {
        let get = |number: &AtomicUsize| number.load(Ordering::SeqCst);
        let running = self.running.load(Ordering::SeqCst);
        let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = running || ended.is_some_and(|ended| ended.elapsed() < SHOWN);
        let of = if shown { get(&self.of) } else { 0 };
        Progress { running, of, done: get(&self.done), parked: get(&self.parked) }
    }

    fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.running.store(false, Ordering::SeqCst);
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
    pub(crate) async fn retry_all(&self, at: usize, rows: Vec<RunRow>, entry: i64) {
        let Some(flow) = self.flows.get(at) else { return };
        for row in rows {
            if self.is_stopping() {
                break;
            }
            let retried = flow.retry(&row, None).await;
            let goes_on = retried.is_ok_and(|done| done.state != RunState::Parked);
            flow.bulk.parked.fetch_add(usize::from(!goes_on), Ordering::SeqCst);
            flow.bulk.done.fetch_add(1, Ordering::SeqCst);
        }
        let Progress { done, parked, .. } = flow.bulk.progress();
        flow.noted(entry, &format!("{done} tried, {parked} parked again")).await;
        flow.bulk.end();
    }
}

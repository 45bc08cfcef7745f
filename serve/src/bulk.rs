//! Trying many parked runs again, in the background.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oms_engine::run::RunState;
use oms_sqlite::RunRow;
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
    causes: Mutex<BTreeSet<String>>,
}

/// How far it is, at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) running: bool,
    /// How many there are in all; 0 if none was tried of late.
    pub(crate) of: usize,
    pub(crate) done: usize,
    pub(crate) parked: usize,
    /// Why they are parked again, with commas between the causes.
    pub(crate) causes: String,
}

impl Bulk {
    pub(crate) fn progress(&self) -> Progress {
        let get = |number: &AtomicUsize| number.load(Ordering::SeqCst);
        let running = self.running.load(Ordering::SeqCst);
        let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = running || ended.is_some_and(|ended| ended.elapsed() < SHOWN);
        let of = if shown { get(&self.of) } else { 0 };
        let causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        let causes = causes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        Progress { running, of, done: get(&self.done), parked: get(&self.parked), causes }
    }

    fn parked_again(&self, causes: &str) {
        self.parked.fetch_add(1, Ordering::SeqCst);
        let each = causes.split(',').filter(|cause| !cause.is_empty()).map(str::to_owned);
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).extend(each);
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
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).clear();
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
            match flow.retry(&row, None).await {
                Ok(done) if done.state != RunState::Parked => {}
                Ok(done) => flow.bulk.parked_again(done.cause.as_deref().unwrap_or_default()),
                Err(_) => flow.bulk.parked_again(""),
            }
            flow.bulk.done.fetch_add(1, Ordering::SeqCst);
        }
        let Progress { done, parked, causes, .. } = flow.bulk.progress();
        let causes = if causes.is_empty() { causes } else { format!(" ({causes})") };
        flow.noted(entry, &format!("{done} tried, {parked} parked again{causes}")).await;
        flow.bulk.end();
    }
}

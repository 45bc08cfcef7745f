//! Retries of many parked runs in the background.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use oms_engine::run::RunState;
use oms_sqlite::RunRow;
use tokio::time::Instant;

use super::site::Site;

/// How long the result is shown.
const RESULT_TIMEOUT: Duration = Duration::from_secs(5 * 60);

/// The progress of a bulk retry. A pipeline has at most one at a time.
#[derive(Default)]
pub(crate) struct BulkRetry {
    running: AtomicBool,
    ended: Mutex<Option<Instant>>,
    total: AtomicUsize,
    done: AtomicUsize,
    parked: AtomicUsize,
    causes: Mutex<BTreeSet<String>>,
}

/// A snapshot of the progress.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    pub(crate) running: bool,
    /// The number of runs to retry, or 0 if there was no recent retry.
    pub(crate) total: usize,
    pub(crate) done: usize,
    pub(crate) parked: usize,
    /// The causes of the runs that were parked again, separated by commas.
    pub(crate) causes: String,
}

impl BulkRetry {
    pub(crate) fn progress(&self) -> Progress {
        let get = |number: &AtomicUsize| number.load(Ordering::SeqCst);
        let running = self.running.load(Ordering::SeqCst);
        let ended = *self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = running || ended.is_some_and(|ended| ended.elapsed() < RESULT_TIMEOUT);
        let total = if shown { get(&self.total) } else { 0 };
        let causes = self.causes.lock().unwrap_or_else(PoisonError::into_inner);
        let causes = causes.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        Progress { running, total, done: get(&self.done), parked: get(&self.parked), causes }
    }

    fn count_parked_again(&self, causes: &str) {
        self.parked.fetch_add(1, Ordering::SeqCst);
        let each = causes.split(',').filter(|cause| !cause.is_empty()).map(str::to_owned);
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).extend(each);
    }

    fn end(&self) {
        *self.ended.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        self.running.store(false, Ordering::SeqCst);
    }

    /// Starts a retry of `total` runs. Returns false if another one is in progress.
    pub(crate) fn begin(&self, total: usize) -> bool {
        if self.running.swap(true, Ordering::SeqCst) {
            return false;
        }
        self.done.store(0, Ordering::SeqCst);
        self.parked.store(0, Ordering::SeqCst);
        self.causes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        self.total.store(total, Ordering::SeqCst);
        true
    }
}

impl Site {
    /// Retries runs of a flow one after the other, until shutdown.
    pub(crate) async fn retry_all(&self, index: usize, rows: Vec<RunRow>, entry: i64) {
        let Some(flow) = self.flows.get(index) else { return };
        for row in rows {
            if self.is_stopping() {
                break;
            }
            match flow.retry(&row, None).await {
                Ok(done) if done.state != RunState::Parked => {}
                Ok(done) => {
                    flow.bulk_retry.count_parked_again(done.cause.as_deref().unwrap_or_default())
                }
                Err(_) => flow.bulk_retry.count_parked_again(""),
            }
            flow.bulk_retry.done.fetch_add(1, Ordering::SeqCst);
        }
        let Progress { done, parked, causes, .. } = flow.bulk_retry.progress();
        let causes = if causes.is_empty() { causes } else { format!(" ({causes})") };
        flow.audit_outcome(entry, &format!("{done} retried, {parked} parked again{causes}")).await;
        flow.bulk_retry.end();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_retry_is_in_progress_and_its_result_is_shown_afterwards() {
        let retry = BulkRetry::default();
        assert_eq!((retry.progress().running, retry.progress().total), (false, 0));
        assert!(retry.begin(3) && !retry.begin(5));
        retry.count_parked_again("timeout,no_rate");
        retry.count_parked_again("timeout");
        retry.end();
        let progress = retry.progress();
        assert_eq!((progress.running, progress.total, progress.parked), (false, 3, 2));
        assert_eq!(progress.causes, "no_rate, timeout");
        assert!(retry.begin(1));
        let progress = retry.progress();
        assert_eq!((progress.total, progress.parked, &*progress.causes), (1, 0, ""));
    }
}

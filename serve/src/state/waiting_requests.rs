//! The requests that wait for the end of a run.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// The requests that wait for runs, by key.
#[derive(Default)]
pub(crate) struct WaitingRequests(Mutex<HashMap<String, Arc<Notify>>>);

impl WaitingRequests {
    fn by_key(&self) -> MutexGuard<'_, HashMap<String, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Wakes the requests that wait for a run.
    pub(crate) fn wake(&self, key: &str) {
        if let Some(notify) = self.by_key().remove(key) {
            notify.notify_waiters();
        }
    }

    /// Returns the notification for the end of a run.
    pub(crate) fn join(&self, key: &str) -> Arc<Notify> {
        Arc::clone(self.by_key().entry(key.to_owned()).or_default())
    }

    /// Removes a run for which no request waits any longer.
    pub(crate) fn leave(&self, key: &str, notify: Arc<Notify>) {
        let mut by_key = self.by_key();
        let is_same = by_key.get(key).is_some_and(|known| Arc::ptr_eq(known, &notify));
        drop(notify);
        if is_same && by_key.get(key).is_some_and(|known| Arc::strong_count(known) == 1) {
            by_key.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_for_one_run_share_a_notification_and_the_last_removes_it() {
        let requests = WaitingRequests::default();
        let (first, second) = (requests.join("1"), requests.join("1"));
        assert!(Arc::ptr_eq(&first, &second));
        requests.leave("1", first);
        assert_eq!(requests.by_key().len(), 1);
        requests.leave("1", second);
        assert!(requests.by_key().is_empty());
    }

    #[tokio::test]
    async fn the_end_of_a_run_wakes_its_requests_only() {
        let requests = WaitingRequests::default();
        let (one, other) = (requests.join("1"), requests.join("2"));
        let (mut one, mut other) = (Box::pin(one.notified()), Box::pin(other.notified()));
        one.as_mut().enable();
        other.as_mut().enable();
        requests.wake("1");
        assert!(one.as_mut().enable() && !other.as_mut().enable());
        // A later request for the same run gets a new notification.
        assert_eq!(requests.by_key().keys().collect::<Vec<_>>(), ["2"]);
    }
}

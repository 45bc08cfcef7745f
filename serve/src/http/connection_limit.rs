//! The limit on open connections. At the limit, the connection that has waited longest for its peer is closed, so that slow clients cannot lock
//! out others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Minimum idle time before a connection may be closed in favor of a new one.
const MOMENT: Duration = Duration::from_millis(100);
/// Delay between two attempts to close an idle connection.
const LOOK: Duration = Duration::from_millis(20);

/// The time since which a connection waits for its peer, either to send more of a request or to read a response. While the server works on a
/// request, the connection does not wait.
pub(crate) struct Wait {
    begun: Instant,
    /// Milliseconds since `begun` plus one, or 0 while the connection does not wait.
    since: AtomicU64,
}

impl Wait {
    fn new() -> Self {
        Self { begun: Instant::now(), since: AtomicU64::new(1) }
    }

    /// Starts the wait unless it has started already.
    pub(crate) fn begin(&self) {
        if self.since.load(Ordering::Relaxed) == 0 {
            self.since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Ends the wait: the peer has sent bytes.
    pub(crate) fn end(&self) {
        self.since.store(0, Ordering::Relaxed);
    }

    /// Restarts a wait after the peer has read bytes.
    pub(crate) fn progress(&self, taken: bool) {
        if taken && self.since.load(Ordering::Relaxed) != 0 {
            self.since.store(self.now(), Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Returns the start of the wait.
    fn since(&self) -> Option<Instant> {
        let since = self.since.load(Ordering::Relaxed).checked_sub(1)?;
        Some(self.begun + Duration::from_millis(since))
    }
}

/// A connection that has a place.
struct Taken {
    wait: Arc<Wait>,
    /// Aborts the connection's task.
    end: Option<AbortHandle>,
}

/// All places for connections.
pub(crate) struct Room {
    places: usize,
    next: AtomicU64,
    taken: Mutex<HashMap<u64, Taken>>,
    left: Notify,
}

/// A place for one connection. Dropping it frees the place.
pub(crate) struct Place {
    room: Arc<Room>,
    number: u64,
    wait: Arc<Wait>,
}

impl Place {
    /// Returns the connection's wait.
    pub(crate) fn wait(&self) -> Arc<Wait> {
        Arc::clone(&self.wait)
    }

    /// Returns the number of the place.
    pub(crate) const fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.taken().remove(&self.number);
        self.room.left.notify_one();
    }
}

impl Room {
    pub(crate) fn new(places: usize) -> Self {
        let (next, taken) = (AtomicU64::new(0), Mutex::default());
        Self { places, next, taken, left: Notify::new() }
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<u64, Taken>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether all places are taken.
    pub(crate) fn is_full(&self) -> bool {
        self.taken().len() >= self.places
    }

    /// Waits for a free place and takes it.
    pub(crate) async fn enter(self: &Arc<Self>) -> Place {
        loop {
            if self.taken().len() < self.places {
                let number = self.next.fetch_add(1, Ordering::Relaxed);
                let wait = Arc::new(Wait::new());
                let taken = Taken { wait: Arc::clone(&wait), end: None };
                self.taken().insert(number, taken);
                return Place { room: Arc::clone(self), number, wait };
            }
            self.end_one();
            // The place is free when the aborted task is dropped. Other connections may end meanwhile.
            let _soon = tokio::time::timeout(LOOK, self.left.notified()).await;
        }
    }

    /// Sets the task that serves the connection at a place.
    pub(crate) fn may_end(&self, number: u64, conversation: AbortHandle) {
        if let Some(taken) = self.taken().get_mut(&number) {
            taken.end = Some(conversation);
        }
    }

    /// Aborts the connection that has waited longest for its peer, if it has waited long enough.
    fn end_one(&self) {
        let mut taken = self.taken();
        let waiting = taken.iter_mut().filter(|(_, taken)| taken.end.is_some());
        let waiting = waiting.filter_map(|(_, taken)| Some((taken.wait.since()?, taken)));
        let longest = waiting.min_by_key(|(since, _)| *since);
        if let Some((_, taken)) = longest.filter(|(since, _)| since.elapsed() >= MOMENT)
            && let Some(end) = taken.end.take()
        {
            end.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes a place for a connection that never ends by itself.
    async fn talk(room: &Arc<Room>) -> (Arc<Wait>, AbortHandle) {
        let place = room.enter().await;
        let (wait, number) = (place.wait(), place.number());
        let task = tokio::spawn(async move {
            let _place = place;
            std::future::pending::<()>().await;
        });
        let handle = task.abort_handle();
        room.may_end(number, handle.clone());
        (wait, handle)
    }

    #[tokio::test]
    async fn the_connection_with_the_longest_wait_is_closed() {
        let room = Arc::new(Room::new(3));
        let (answering, first) = talk(&room).await;
        answering.end();
        let (_, second) = talk(&room).await;
        tokio::time::sleep(MOMENT).await;
        let (moving, third) = talk(&room).await;
        moving.end();
        moving.begin();
        let (_, fourth) = talk(&room).await;
        let ended = [&first, &second, &third, &fourth].map(AbortHandle::is_finished);
        assert_eq!(ended, [false, true, false, false]);
        assert_eq!(room.taken().len(), 3);
    }

    #[tokio::test]
    async fn a_new_connection_is_not_closed() {
        let room = Arc::new(Room::new(1));
        let (_, first) = talk(&room).await;
        let begun = Instant::now();
        talk(&room).await;
        assert!(first.is_finished() && begun.elapsed() >= MOMENT);
    }

    #[tokio::test]
    async fn a_free_place_is_reused() {
        let room = Arc::new(Room::new(1));
        drop(room.enter().await);
        let _place = room.enter().await;
    }
}

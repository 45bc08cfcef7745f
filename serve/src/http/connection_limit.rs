//! The limit on open connections. At the limit, the connection that has waited longest for its peer
//! is closed, so that slow clients cannot lock out others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

/// Maximum number of concurrent connections.
const CONNECTIONS_MAX: usize = 4_096;
/// Number of open files that are reserved for databases, keys and the log.
const FILES_RESERVED: usize = 256;
/// Minimum idle time before a connection may be closed in favor of a new one.
const MIN_IDLE: Duration = Duration::from_millis(100);
/// Delay between two attempts to close an idle connection.
const CLOSE_INTERVAL: Duration = Duration::from_millis(20);

/// How long a connection has been waiting for its peer, either to send more of a request or to read
/// a response. While the server works on a request, the connection does not wait.
pub(crate) struct IdleTime {
    begun: Instant,
    /// The start of the wait in milliseconds after `begun`, plus one. 0 while the connection does
    /// not wait.
    since: AtomicU64,
}

impl IdleTime {
    pub(crate) fn start() -> Self {
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

    /// Restarts a wait if the peer has read bytes.
    pub(crate) fn progress(&self, written: bool) {
        if written && self.since.load(Ordering::Relaxed) != 0 {
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

/// An open connection.
struct OpenConnection {
    idle: Arc<IdleTime>,
    /// Aborts the connection's task.
    task: Option<AbortHandle>,
}

/// The limit on open connections.
pub(crate) struct ConnectionLimit {
    max: usize,
    next_id: AtomicU64,
    open: Mutex<HashMap<u64, OpenConnection>>,
    closed: Notify,
}

/// The permit for one connection. Dropping it releases it.
pub(crate) struct ConnectionPermit {
    limit: Arc<ConnectionLimit>,
    id: u64,
    idle: Arc<IdleTime>,
}

impl ConnectionPermit {
    /// Returns the idle time of the connection.
    pub(crate) fn idle(&self) -> Arc<IdleTime> {
        Arc::clone(&self.idle)
    }

    /// Returns the id of the connection.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for ConnectionPermit {
    fn drop(&mut self) {
        self.limit.open().remove(&self.id);
        self.limit.closed.notify_one();
    }
}

impl ConnectionLimit {
    pub(crate) fn new(max: usize) -> Self {
        let (next_id, open) = (AtomicU64::new(0), Mutex::default());
        Self { max, next_id, open, closed: Notify::new() }
    }

    /// Returns the limit that the system allows. Raises the limit on open files to its maximum
    /// first.
    pub(crate) fn of_system() -> Self {
        Self::new(connections_max())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<u64, OpenConnection>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the limit is reached.
    pub(crate) fn is_reached(&self) -> bool {
        self.open().len() >= self.max
    }

    /// Waits for a permit.
    pub(crate) async fn acquire(self: &Arc<Self>) -> ConnectionPermit {
        loop {
            if self.open().len() < self.max {
                let id = self.next_id.fetch_add(1, Ordering::Relaxed);
                let idle = Arc::new(IdleTime::start());
                let connection = OpenConnection { idle: Arc::clone(&idle), task: None };
                self.open().insert(id, connection);
                return ConnectionPermit { limit: Arc::clone(self), id, idle };
            }
            self.close_longest_idle();
            // The permit is released when the aborted task is dropped. Other connections may close
            // meanwhile.
            let _soon = tokio::time::timeout(CLOSE_INTERVAL, self.closed.notified()).await;
        }
    }

    /// Sets the task that serves a connection.
    pub(crate) fn set_task(&self, id: u64, task: AbortHandle) {
        if let Some(connection) = self.open().get_mut(&id) {
            connection.task = Some(task);
        }
    }

    /// Aborts the connection that has waited longest for its peer, if it has waited long enough.
    fn close_longest_idle(&self) {
        let mut open = self.open();
        let idle = open.values_mut().filter(|connection| connection.task.is_some());
        let idle = idle.filter_map(|connection| Some((connection.idle.since()?, connection)));
        let longest = idle.min_by_key(|(since, _)| *since);
        if let Some((_, connection)) = longest.filter(|(since, _)| since.elapsed() >= MIN_IDLE)
            && let Some(task) = connection.task.take()
        {
            task.abort();
        }
    }
}

/// Raises the limit on open files to its maximum, and returns the number of connections that it
/// allows.
fn connections_max() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, ..limit };
    let current = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    // `None` means that there is no limit.
    let files = current.map_or(usize::MAX, |files| usize::try_from(files).unwrap_or(usize::MAX));
    CONNECTIONS_MAX.min(files.saturating_sub(FILES_RESERVED).max(files / 2)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Opens a connection that never closes by itself.
    async fn connect(limit: &Arc<ConnectionLimit>) -> (Arc<IdleTime>, AbortHandle) {
        let permit = limit.acquire().await;
        let (idle, id) = (permit.idle(), permit.id());
        let task = tokio::spawn(async move {
            let _permit = permit;
            std::future::pending::<()>().await;
        });
        let handle = task.abort_handle();
        limit.set_task(id, handle.clone());
        (idle, handle)
    }

    #[tokio::test]
    async fn the_connection_with_the_longest_wait_is_closed() {
        let limit = Arc::new(ConnectionLimit::new(3));
        let (busy, first) = connect(&limit).await;
        busy.end();
        let (_, second) = connect(&limit).await;
        tokio::time::sleep(MIN_IDLE).await;
        let (reading, third) = connect(&limit).await;
        reading.end();
        reading.begin();
        let (_, fourth) = connect(&limit).await;
        let closed = [&first, &second, &third, &fourth].map(AbortHandle::is_finished);
        assert_eq!(closed, [false, true, false, false]);
        assert_eq!(limit.open().len(), 3);
    }

    #[tokio::test]
    async fn a_new_connection_is_not_closed() {
        let limit = Arc::new(ConnectionLimit::new(1));
        let (_, first) = connect(&limit).await;
        let begun = Instant::now();
        connect(&limit).await;
        assert!(first.is_finished() && begun.elapsed() >= MIN_IDLE);
    }

    #[tokio::test]
    async fn a_busy_connection_is_never_closed() {
        let limit = Arc::new(ConnectionLimit::new(1));
        let (busy, first) = connect(&limit).await;
        busy.end();
        let waits = tokio::time::timeout(MIN_IDLE + 3 * CLOSE_INTERVAL, limit.acquire());
        assert!(waits.await.is_err() && !first.is_finished() && limit.is_reached());
    }

    #[tokio::test]
    async fn a_released_permit_is_reused() {
        let limit = Arc::new(ConnectionLimit::new(1));
        drop(limit.acquire().await);
        assert!(!limit.is_reached());
        let _permit = limit.acquire().await;
        assert!(limit.is_reached());
    }

    #[test]
    fn progress_restarts_the_idle_time_but_does_not_start_it() {
        let idle = IdleTime::start();
        let begun = idle.since().unwrap();
        std::thread::sleep(Duration::from_millis(3));
        idle.begin();
        assert_eq!(idle.since().unwrap(), begun, "the wait started again");
        idle.progress(true);
        assert!(idle.since().unwrap() - begun >= Duration::from_millis(3));
        idle.end();
        idle.progress(true);
        assert_eq!(idle.since(), None);
    }
}

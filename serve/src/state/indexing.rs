//! Updates the search index and the order counts in a separate thread. If this work blocked a
//! runtime worker, the runtime would start another worker with its own memory.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_runtime::Runner;
use tokio::sync::oneshot;

use super::recent_orders::RecentOrders;

/// Pause after the index is complete.
const PAUSE: Duration = Duration::from_millis(500);
/// Pause after the index could not be updated. Searches report the error.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(10);

/// The thread that updates the index.
pub(crate) struct Indexing {
    stop: Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Indexing {
    /// Starts the thread.
    pub(crate) fn start(runner: Arc<Runner>, recent: Arc<RecentOrders>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let (running, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name("oms-index".to_owned()).spawn(move || {
            update_until_stopped(&runner, &recent, &stopped);
            // The runner is dropped first: after the signal, `stop` returns and the runner may be
            // closed.
            drop(runner);
            drop(running);
        })?;
        Ok(Self { stop, ended })
    }

    /// Stops the thread and waits until it has ended.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        // Nothing is sent. The channel closes when the thread ends.
        let _gone = self.ended.await;
    }
}

fn update_until_stopped(runner: &Runner, recent: &RecentOrders, stopped: &Receiver<()>) {
    loop {
        // The overview also catches up and reports errors.
        let _later = runner.read(|reader, _| recent.catch_up(reader, SystemClock.now()));
        let pause = match runner.update_index() {
            Ok(true) => Duration::ZERO,
            Ok(false) => PAUSE,
            Err(_) => PAUSE_AFTER_ERROR,
        };
        if stopped.recv_timeout(pause) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

//! Updates the search index and the order counts in a separate thread. If this work blocked a runtime worker, the runtime would start another worker with
//! its own memory.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_runtime::Runner;
use tokio::sync::oneshot;

use super::recent_orders::Recent;

/// Pause after the index is complete.
const REST: Duration = Duration::from_millis(500);
/// Pause after the index could not be updated. Searches report the error.
const FAILED: Duration = Duration::from_secs(10);

/// The thread that updates the index.
pub(crate) struct Indexing {
    end: Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Indexing {
    /// Starts the writer thread.
    pub(crate) fn start(runner: Arc<Runner>, recent: Arc<Recent>) -> io::Result<Self> {
        let (end, until) = channel();
        let (sent, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name("oms-index".to_owned()).spawn(move || {
            keep_up(&runner, &recent, &until);
            // The runner is dropped first: after the signal, `end` returns and the runner may be closed.
            drop(runner);
            drop(sent);
        })?;
        Ok(Self { end, ended })
    }

    /// Stops the thread and waits until it has ended.
    pub(crate) async fn end(self) {
        drop(self.end);
        // Nothing is sent. The channel closes when the thread ends.
        let _gone = self.ended.await;
    }
}

fn keep_up(runner: &Runner, recent: &Recent, until: &Receiver<()>) {
    loop {
        // The overview also catches up and reports errors.
        let _later = runner.read(|reader, _| recent.catch_up(reader, SystemClock.now()));
        let rest = match runner.update_index() {
            Ok(true) => Duration::ZERO,
            Ok(false) => REST,
            Err(_) => FAILED,
        };
        if until.recv_timeout(rest) != Err(RecvTimeoutError::Timeout) {
            return;
        }
    }
}

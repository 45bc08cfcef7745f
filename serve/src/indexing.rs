//! Updates the search index and the order counts in a separate thread. Blocking a runtime worker would make the runtime start another worker with its own memory.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_runtime::Runner;
use tokio::sync::oneshot;

use crate::recent::Recent;

/// How long the index rests when it has everything.
const REST: Duration = Duration::from_millis(500);
/// How long it rests when it cannot be used; searches say why.
const FAILED: Duration = Duration::from_secs(10);

/// The thread, at work until it is ended.
pub(crate) struct Indexing {
    end: Sender<()>,
    ended: oneshot::Receiver<()>,
}

impl Indexing {
    /// Begins to take orders in as they come.
    pub(crate) fn start(runner: Arc<Runner>, recent: Arc<Recent>) -> io::Result<Self> {
        let (end, until) = channel();
        let (sent, ended) = oneshot::channel::<()>();
        std::thread::Builder::new().name("oms-index".to_owned()).spawn(move || {
            keep_up(&runner, &recent, &until);
            // In this order: who hears of the end may take the runner apart.
            drop(runner);
            drop(sent);
        })?;
        Ok(Self { end, ended })
    }

    /// Waits until it has ended.
    pub(crate) async fn end(self) {
        drop(self.end);
        // The other side says nothing but that it is gone.
        let _gone = self.ended.await;
    }
}

fn keep_up(runner: &Runner, recent: &Recent, until: &Receiver<()>) {
    loop {
        // The overview catches up as well and reports an error.
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

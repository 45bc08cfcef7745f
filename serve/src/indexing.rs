//! Keeping the search index near to what was accepted.

use std::sync::Arc;
use std::time::Duration;

use oms_local::Runner;
use tokio::sync::oneshot;

/// How long the index rests when it has everything.
const REST: Duration = Duration::from_millis(500);
/// How long it rests when it cannot be used; searches say why.
const FAILED: Duration = Duration::from_secs(10);

/// Takes orders in as they come, until `end` is dropped.
pub(crate) async fn keep_up(runner: Arc<Runner>, mut end: oneshot::Receiver<()>) {
    loop {
        let rest = match tokio::task::block_in_place(|| runner.index()) {
            Ok(true) => Duration::ZERO,
            Ok(false) => REST,
            Err(_) => FAILED,
        };
        tokio::select! {
            biased;
            _ = &mut end => return,
            () = tokio::time::sleep(rest) => {}
        }
    }
}

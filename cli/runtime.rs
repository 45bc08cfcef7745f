//! The tokio runtimes of the commands.

use std::io;

use tokio::runtime::{Builder, Runtime};

/// Stack size of a worker in bytes. Restoring a deeply nested pipeline from its bundle needs more
/// than the default of two megabytes.
pub(crate) const STACK_BYTES: usize = 8 << 20;

/// Returns a runtime with worker threads, for runs and servers.
///
/// # Errors
/// Returns an error if the system has no more threads or file descriptors.
pub(crate) fn multi_thread() -> io::Result<Runtime> {
    Builder::new_multi_thread().thread_stack_size(STACK_BYTES).enable_all().build()
}

/// Returns a runtime on the calling thread, for single requests.
///
/// # Errors
/// Returns an error if the system has no more file descriptors.
pub(crate) fn current_thread() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

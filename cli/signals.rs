//! Shutdown signals: Ctrl-C and SIGTERM.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit;
use crate::runtime;

/// The signals that shut down a command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signals {
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-C and SIGTERM.
    InterruptOrTerminate,
}

/// Returns a value that becomes true at the first signal. A second Ctrl-C terminates the process
/// immediately, which is equivalent to a crash: the next invocation resumes.
///
/// # Errors
/// Returns an error if the signal handlers cannot be installed.
pub(crate) fn listen(signals: Signals) -> anyhow::Result<watch::Receiver<bool>> {
    let (stop, receiver) = watch::channel(false);
    // On a separate thread, so that other work cannot delay it.
    let runtime = runtime::current_thread()?;
    let (mut interrupts, mut terminations) = {
        let _inside = runtime.enter();
        let terminations = match signals {
            Signals::Interrupt => None,
            Signals::InterruptOrTerminate => Some(signal(SignalKind::terminate())?),
        };
        (signal(SignalKind::interrupt())?, terminations)
    };
    let listening = async move {
        loop {
            tokio::select! {
                _ = interrupts.recv() => {
                    if stop.send_replace(true) {
                        exit::terminate(exit::INTERRUPTED);
                    }
                }
                () = recv(terminations.as_mut()) => {
                    stop.send_replace(true);
                }
            }
        }
    };
    let thread = std::thread::Builder::new().name("oms-signals".to_owned());
    thread.spawn(move || runtime.block_on(listening)).context("cannot listen for Ctrl-C")?;
    Ok(receiver)
}

async fn recv(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

//! Being asked to end: Ctrl-C, and SIGTERM.

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;

use crate::exit;

/// What asks a process to end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asks {
    /// Ctrl-C.
    Interrupt,
    /// Ctrl-C and SIGTERM.
    InterruptOrTerminate,
}

/// Becomes true when the process is asked to end. Asked again by Ctrl-C, the process ends at once, whatever it is at: that is a crash, and the
/// next call goes on from there.
///
/// # Errors
/// When the system gives no signals.
pub(crate) fn listen(asks: Asks) -> anyhow::Result<watch::Receiver<bool>> {
    let (asked, receiver) = watch::channel(false);
    // On a thread of its own, which nothing else keeps busy.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build()?;
    let (mut interrupts, mut terminations) = {
        let _inside = runtime.enter();
        let terminations = match asks {
            Asks::Interrupt => None,
            Asks::InterruptOrTerminate => Some(signal(SignalKind::terminate())?),
        };
        (signal(SignalKind::interrupt())?, terminations)
    };
    let listening = async move {
        loop {
            tokio::select! {
                _ = interrupts.recv() => {
                    if asked.send_replace(true) {
                        exit::at_once(exit::INTERRUPTED);
                    }
                }
                () = next(terminations.as_mut()) => {
                    asked.send_replace(true);
                }
            }
        }
    };
    let thread = std::thread::Builder::new().name("oms-signals".to_owned());
    thread.spawn(move || runtime.block_on(listening)).context("Ctrl-C cannot be heard")?;
    Ok(receiver)
}

async fn next(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

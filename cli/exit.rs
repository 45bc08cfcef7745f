//! The exit codes, the same for every command.

/// All is well.
pub(crate) const FINE: u8 = 0;
/// There are findings; or this call saw a conflict, a rejected or a parked order.
pub(crate) const FINDINGS: u8 = 1;
/// The call's words are off.
pub(crate) const USAGE: u8 = 2;
/// The environment: a service, a lock, a pipeline or input that cannot be read. Repeating the call is safe.
pub(crate) const ENVIRONMENT: u8 = 4;
/// A bug of ours.
pub(crate) const BUG: u8 = 70;
/// Somebody interrupted it. The next call goes on.
pub(crate) const INTERRUPTED: u8 = 130;

/// An error in the call's words that clap cannot see.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

/// Terminates the process immediately.
#[expect(clippy::exit, reason = "a second Ctrl-C skips the shutdown")]
pub(crate) fn at_once(code: u8) -> ! {
    std::process::exit(code.into())
}

/// Returns the code for an error that ended a command.
pub(crate) fn of(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() { USAGE } else { ENVIRONMENT }
}

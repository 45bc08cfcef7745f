//! The exit codes. All commands use the same ones.

/// Success.
pub(crate) const SUCCESS: u8 = 0;
/// Findings; or a conflict, a rejected order or a parked run in this invocation.
pub(crate) const FINDINGS: u8 = 1;
/// Invalid arguments.
pub(crate) const USAGE: u8 = 2;
/// An error of the environment: a service, a lock, or a pipeline or input that cannot be read.
/// Repeating the command is safe.
pub(crate) const ENVIRONMENT: u8 = 4;
/// A bug in `oms`.
pub(crate) const BUG: u8 = 70;
/// The command was interrupted. The next invocation continues.
pub(crate) const INTERRUPTED: u8 = 130;

/// An error in the arguments that clap cannot detect.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Usage {
    /// Returns the error for a target that this program was built without.
    #[cfg(not(all(feature = "postgres", feature = "aws")))]
    pub(crate) fn not_built(feature: &str) -> Self {
        Self(format!(
            "this program was built without the target `{feature}`; build it with `cargo build --release --features {feature}`"
        ))
    }
}

/// Terminates the process immediately.
#[expect(clippy::exit, reason = "a second Ctrl-C skips the shutdown")]
pub(crate) fn terminate(code: u8) -> ! {
    std::process::exit(code.into())
}

/// Returns the exit code for an error.
pub(crate) fn code_of(error: &anyhow::Error) -> u8 {
    if error.is::<Usage>() { USAGE } else { ENVIRONMENT }
}

//! The errors of operations on a run.

use oms_sqlite::Error;

/// Why an operation on a run failed. `R` is the reason for a refusal.
#[derive(Debug, thiserror::Error)]
pub enum OperationError<R: std::error::Error> {
    /// The run does not allow the operation.
    #[error("{0}")]
    Refused(R),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] Error),
}

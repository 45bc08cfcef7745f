//! User operations on runs and customers: retry, cancel, prune, erase, search.

pub(crate) mod answered;
mod cancel;
mod customers;
mod error;
pub(crate) mod find_customer;
pub(crate) mod forget;
mod prune;
pub(crate) mod retry;

pub use answered::{AnswerFault, SuppliedAnswer};
pub use cancel::{CancelError, NotCancelled};
pub use error::OperationError;
pub use find_customer::{add_emails, find_customer};
pub use forget::{CANDIDATES_MAX, Candidate, ErasedData, ForgetResult, KeptRun};
pub use retry::{HeldDecision, NotRetried, RetryError};

//! Running a plan: a pure scheduler, the events that it consumes, and the driver that carries out
//! its decisions.
//!
//! [`Scheduler`] decides which steps can run now ([`Decision`]) and learns from [`Event`]s what
//! happened. It reads no clock and no random numbers and has no side effects, so applying the
//! journal rebuilds a run. [`advance`] is the driver. It runs steps through the ports until every
//! step has to wait, and returns the events, which must be made durable together with the writes
//! that the steps staged.

mod accept;
mod attempts;
mod backoff;
mod decision;
mod driver;
mod element;
mod event;
mod failure;
mod failures;
mod gate;
mod journal;
mod list_limits;
mod read_again;
mod rehearsal;
mod reopen;
mod requests;
mod scheduler;
mod state;
mod write_conflicts;

pub use accept::{Rejection, ResumeError, accept, accept_as, resume};
pub use attempts::AttemptsMade;
pub use backoff::wait_before;
pub use decision::{Decision, IllegalEvent};
pub use driver::{Progress, Run, advance, assume_done, idempotency_key};
pub use element::Elements;
pub use event::{Event, SkipReason};
pub use failure::Failure;
pub use journal::{JournalError, decode, encode};
pub use oms_core::effects::{RunState, run_id};
pub use rehearsal::{Rehearsal, SeedError, SentMail};
pub use scheduler::Scheduler;
pub use state::{ElementState, StepState};

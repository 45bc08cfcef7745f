//! Running a plan: a pure scheduler, the events that it lives on, and the driver that carries out its decisions.
//!
//! [`Scheduler`] answers what can go on now with [`Decision`]s and is told what happened by [`Event`]s. It reads no clock, no random number and
//! touches nothing, so that a run is rebuilt by applying its journal. [`advance`] is the driver: it runs steps through the ports until
//! nothing can go on at once, and gives the events to be made durable together with what the steps staged.

mod accept;
mod decision;
mod driver;
mod element;
mod event;
mod failure;
mod failures;
mod gate;
mod journal;
mod read_again;
mod rehearsal;
mod reopen;
mod retry;
mod scheduler;
mod state;
mod targets;
mod too_long;

pub use accept::{Rejection, ResumeError, accept, accept_as, resume};
pub use decision::{Decision, IllegalEvent};
pub use driver::{Progress, Run, advance, idempotency_key, take_as_done};
pub use element::Elements;
pub use event::{Event, SkipReason};
pub use failure::Failure;
pub use journal::{JournalError, decode, encode};
pub use oms_core::effects::{RunState, run_id};
pub use rehearsal::{Rehearsal, SeedError, Sent};
pub use retry::wait_before;
pub use scheduler::Scheduler;
pub use state::{ElementState, StepState};

//! The runtime of one machine: it accepts orders, drives their runs, and lets people retry, cancel and delete them.
//!
//! The [`Runner`] owns a state. A run works on a stage, which implements the ports: what a step writes is kept there until the
//! run has to stop, and then goes to the store as one packet with the events, so that effects and journal become durable in
//! one transaction. This crate contains no SQL.

mod admission;
mod bundles;
pub mod control;
mod export;
mod operations;
mod run;
mod runner;
mod scheduling;
mod target;

pub use admission::{Answer, Order, Settings, Settled, Work};
pub use bundles::Bundles;
pub use export::{Export, NotExported, write_mail, write_object};
pub use operations::{
    CancelError, Candidate, Forgetting, Forgotten, Held, LeftRun, NotCancelled, NotRetried,
    OperationError, RetryError,
};
pub use run::{HeldMail, NextAttempt, Shown, events, held_mails, resume, steps};
pub use runner::Runner;
pub use target::{Listener, Mailing, Remote};

//! Runs pipelines on one machine: accepts orders, drives their runs, and lets users retry, cancel
//! and delete runs.
//!
//! The [`Runner`] owns a state directory. Each run has a stage, which implements the ports. The
//! stage keeps the writes of steps until the run has to stop. Then the writes and the events go to
//! the store in one packet, so that effects and journal become durable in one transaction. This
//! crate contains no SQL.

mod admission;
mod bundles;
pub mod control;
mod export;
mod operations;
mod run;
mod runner;
mod scheduling;
mod targets;

pub use admission::{Order, OrderReply, Settings, Work, WorkResult};
pub use bundles::{Bundles, check_settings};
pub use export::{Export, NotExported, write_mail, write_object};
pub use operations::{
    AnswerFault, CANDIDATES_MAX, CancelError, Candidate, ErasedData, ForgetResult, HeldDecision,
    KeptRun, NotCancelled, NotRetried, OperationError, RetryError, SuppliedAnswer, add_emails,
    find_customer,
};
pub use run::{
    HeldMail, NextAttempt, PersonalData, StepDetails, StepEvent, StepStatus, events, held_mails,
    only_mails_are_held, resume, steps,
};
pub use runner::Runner;
pub use targets::{Listener, MailDelivery, Remote};

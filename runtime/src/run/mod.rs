//! The execution of one run: its journal, its stage, and the driver that executes its stretches.

mod details;
pub(crate) mod driver;
pub(crate) mod journal;
mod next_attempt;
pub(crate) mod refusals;
mod request_details;
pub(crate) mod run_locks;
pub(crate) mod stage;

pub(crate) use details::sends_only_mail;
pub use details::{
    HeldMail, PersonalData, StepDetails, StepEvent, StepStatus, held_mails, only_mails_are_held,
    steps,
};
pub use journal::{events, resume};
pub use next_attempt::NextAttempt;

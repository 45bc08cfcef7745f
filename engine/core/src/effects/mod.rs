//! The ports: traits for everything that a step can touch.
//!
//! A world implements them: the local one, AWS, or one in memory for tests. [`Call::key`] is the
//! same on every attempt, so a repeated call has no further effect. Writes may be *staged*: they
//! take effect together with the event that records the end of the step. The driver reports the end
//! of each attempt through [`Effects::finish_attempt`].

mod clock;
mod conflict;
mod erase;
mod error;
mod intake;
pub mod memory;
mod ports;
mod queue;
mod reads;
mod run_state;
mod services;
mod trace;

pub use clock::{Clock, Random};
pub use erase::Erase;
pub use error::{Class, RequestEnd, StepError, cause};
pub use intake::{
    Branches, CANCEL_AGE, DoneNote, HandlerNote, ListedOrder, MailAttempt, MailEvent, MailEvents,
    MissingNote, OrderLocation, Orders, RateFile, StoreResult, StoredOrder,
};
pub use ports::{
    Call, Effects, ExternalPorts, InsertResult, Io, Mailer, Message, ObjectStore, OutcomeUnknown,
    PendingPermit, Permit, Put, RowChange, RunInfo, Tables, Topic, Update, World,
};
pub use queue::{Queue, ReceivedMessage, examine};
pub use reads::{Reads, TableNames};
pub use run_state::{RunState, run_id};
pub use services::{
    Answer, AnswerSlot, CallError, CallErrorKind, Method, NoServices, PendingAnswer,
    ServiceRequest, Services,
};
pub use trace::{span_id, span_id_of};

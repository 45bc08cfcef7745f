//! The ports: everything a step can touch, as traits shaped by what steps need.
//!
//! A world (embedded, AWS, in memory for tests) implements them. A call names its [`Call::key`], which is the same
//! on every attempt, so that a repeated call changes nothing more. Writes may be *staged*: they become real together with
//! the event that says the step is done, which the driver announces through [`Effects::settle`].

mod clock;
mod erase;
mod error;
mod intake;
pub mod memory;
mod ports;
mod reads;
mod run_state;

pub use clock::{Clock, Random};
pub use erase::Erase;
pub use error::{Class, StepError, cause};
pub use intake::{
    Branches, Kept, Listed, Mark, Missing, Orders, Place, Queue, RateFile, StoredOrder,
};
pub use ports::{
    Admission, Call, Doubt, Effects, Inserted, Io, Leave, Mailer, Message, ObjectStore, Outside,
    Put, RunInfo, Tables, Topic, World,
};
pub use reads::{Reads, TableNames};
pub use run_state::{RunState, run_id};

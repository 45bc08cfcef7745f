//! The embedded world: journal, runs, objects, mails and the pipeline's own tables in one SQLite database, written by one
//! thread that commits in groups.
//!
//! A run works on a [`Stage`], which implements the ports: what a step writes is kept there until the run has to stop, and then goes to the
//! [`Writer`] as one [`Packet`] together with the events, so that effects and journal become durable in one transaction.

mod answer;
mod audit;
mod bundles;
mod cancel;
mod clock_watch;
mod column;
pub mod control;
mod database;
mod details;
mod drive;
mod erase;
mod error;
mod failpoint;
mod forget;
mod index;
mod item;
mod keys;
mod listener;
mod lock;
mod locks;
mod mailing;
mod mails;
mod next_attempt;
mod objects;
mod packet;
mod prune;
mod readers;
mod recent;
mod remote;
mod retry;
mod rows;
mod runner;
mod runs;
mod said;
mod schema;
mod search;
mod seeds;
mod settled;
mod stage;
mod tables;
mod turns;
mod under_way;
mod world;
mod writer;

pub use answer::Answer;
pub use audit::AuditEntry;
pub use bundles::Bundles;
pub use cancel::NotCancelled;
pub use database::{DATABASE_FILE, Database, backup};
pub use details::{Shown, steps};
pub use error::Error;
pub use forget::Forgotten;
pub use keys::{Found, Key, Keys, Scope, ValidKeys};
pub use listener::Listener;
pub use mailing::Mailing;
pub use mails::{MailRow, StoredMail};
pub use next_attempt::NextAttempt;
pub use objects::ObjectRow;
pub use packet::{Outcome, Packet, Write};
pub use remote::{Erase, Remote};
pub use retry::{Held, NotRetried};
pub use rows::{export_rows, import_rows, row_like};
pub use runner::{Order, Runner, Settings, Work};
pub use runs::{RunRow, StoredRun};
pub use rusqlite::Connection;
pub use said::searched;
pub use search::{Page, Search};
pub use settled::Settled;
pub use stage::Stage;
pub use world::SystemClock;
pub use writer::Writer;

//! The embedded store: runs, journals, objects, e-mails, keys and the pipeline's tables in one
//! SQLite database.
//!
//! One process owns a state directory. It writes through one [`Store`], which commits the packets
//! of many runs in one transaction. Any process can read with a [`Reader`]. This crate contains all
//! SQL for SQLite, and does not depend on pipelines or steps.

mod access;
mod customers;
mod error;
mod failpoint;
mod runs;
mod setup;
mod state;
mod store;
mod tables;
mod writer;

pub use access::{KeyCheck, Keys, StoredSession, StoredSessions, ValidKeys};
pub use customers::{
    CustomerQuery, CustomerRuns, Match, SearchedOrders, TableCustomers, personal_lines,
    search_terms,
};
pub use error::Error;
pub use runs::{
    AuditEntry, ExportedRuns, MailRow, ObjectRow, Page, RunRow, Search, StoredBundle, StoredMail,
    StoredRun, pack, unpack,
};
pub use setup::Setup;
pub use state::{
    DATABASE_FILE, Database, Key, Reader, RestoreReport, Scope, backup, private, restore,
};
pub use store::{Options, Store};
pub use tables::{
    SeedFile, SkippedSeed, count_rows, erasure, export_rows, import_rows, migrate, row_like,
};
pub use writer::{
    CommitNumber, Item, LockId, Locked, Outcome, Packet, Reads, RunRef, Turn, Write, WriterMode,
    items,
};

//! What goes to the writer: everything that one run did since it was last durable.

use std::sync::Arc;

use oms_core::effects::RunState;
use oms_core::table::TableDef;
use oms_core::value::{Digest, Value};
use tokio::sync::oneshot;

use crate::writer::item::{Item, Reads};
use crate::writer::locks::LockId;
use crate::writer::turns::Turn;

/// One staged write.
#[derive(Clone, Debug)]
pub enum Write {
    /// An object.
    Object {
        /// The bucket.
        bucket: Arc<str>,
        /// The key.
        key: Arc<str>,
        /// The media type.
        content_type: &'static str,
        /// The bytes; nothing for the order itself, which the run has.
        body: Option<Arc<[u8]>>,
    },
    /// A new row.
    Insert {
        /// The table.
        table: Arc<TableDef>,
        /// The row.
        row: Value,
    },
    /// A row that may replace one.
    Upsert {
        /// The table.
        table: Arc<TableDef>,
        /// The row.
        row: Value,
    },
    /// A mail.
    Mail {
        /// The step.
        step: Arc<str>,
        /// The element; 0 without.
        element: u32,
        /// Its Message-ID.
        message_id: String,
        /// Its parts, compressed.
        content: Vec<u8>,
    },
}

impl Write {
    /// Tells whether an export has a file for it.
    pub(crate) const fn is_exported(&self) -> bool {
        matches!(self, Self::Object { .. } | Self::Mail { .. })
    }
}

/// The run that a packet belongs to.
#[derive(Clone, Debug)]
pub enum RunRef {
    /// An order that is accepted by this packet.
    New {
        /// The order's key.
        key: Arc<str>,
        /// Its digest.
        digest: Digest,
        /// When it was accepted, in milliseconds since 1970.
        accepted_at: i64,
        /// Its bytes.
        body: Arc<[u8]>,
    },
    /// A run that is in the database.
    Known {
        /// Its row.
        id: i64,
    },
}

/// What one run did since it was last durable.
pub struct Packet {
    /// The run.
    pub run: RunRef,
    /// The bundle that it runs on.
    pub bundle: i64,
    /// How far it is.
    pub state: RunState,
    /// When it goes on, in milliseconds since 1970.
    pub wait_until: Option<i64>,
    /// Why it is parked; of a completed run, what was caught.
    pub cause: Option<String>,
    /// Failures that a catch step has handled.
    pub caught: u32,
    /// The steps that failed.
    pub failed_steps: Vec<Arc<str>>,
    /// Whether a person retried the run.
    pub is_retry: bool,
    /// The time of the packet, in milliseconds since 1970.
    pub now: i64,
    /// The events, as the journal keeps them.
    pub events: String,
    /// What the steps staged, in order.
    pub writes: Arc<[Write]>,
    /// What they read of what was committed.
    pub reads: Arc<Reads>,
    /// The place of the order among those that came in; nothing for a run that is in the database.
    pub turn: Option<Turn>,
    /// Whether its objects and mails are to be exported.
    pub is_exported: bool,
    /// The locks that the run holds.
    pub lock: Option<LockId>,
    /// Where the outcome goes.
    pub reply: oneshot::Sender<Option<Outcome>>,
}

impl Packet {
    /// Returns the rows and objects that it is about, read or written.
    pub(crate) fn items(&self) -> Vec<Item> {
        items(&self.reads, &self.writes)
    }
}

/// Returns the rows and objects that a stretch read or wrote.
pub fn items(reads: &Reads, writes: &[Write]) -> Vec<Item> {
    reads.keys().copied().chain(writes.iter().filter_map(Item::written)).collect()
}

/// What became of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is on disk.
    Committed {
        /// The run's row.
        id: i64,
    },
    /// The same order is there already.
    Duplicate,
    /// Another order with that key is there.
    Conflict,
    /// Another run changed what this one read, or made a row or an object that stands in its way. Nothing of the packet was kept: the
    /// stretch is executed again.
    Refused,
}

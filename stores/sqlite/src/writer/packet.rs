//! Packets: the events and writes of a run since its last commit. The writer commits them.

use std::sync::Arc;

use oms_core::effects::RunState;
use oms_core::table::TableDef;
use oms_core::value::{Digest, Value};
use tokio::sync::oneshot;

use crate::writer::item::{Item, Reads};
use crate::writer::locks::LockId;
use crate::writer::turns::Turn;

/// A staged write.
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
        /// The content; `None` for the order itself, which is stored with the run.
        body: Option<Arc<[u8]>>,
    },
    /// A new row.
    Insert {
        /// The table.
        table: Arc<TableDef>,
        /// The row.
        row: Value,
    },
    /// A new row, or the replacement of a row.
    Upsert {
        /// The table.
        table: Arc<TableDef>,
        /// The row.
        row: Value,
    },
    /// A change of columns of an existing row.
    Update {
        /// The table.
        table: Arc<TableDef>,
        /// The row after the change.
        row: Value,
        /// The positions of the columns that change.
        columns: Arc<[usize]>,
    },
    /// An e-mail.
    Mail {
        /// The step.
        step: Arc<str>,
        /// The index of the element, or 0 without `for_each`.
        element: u32,
        /// The Message-ID.
        message_id: String,
        /// The compressed parts.
        content: Vec<u8>,
    },
}

impl Write {
    /// Returns whether an export writes a file for this write.
    pub(crate) const fn is_exported(&self) -> bool {
        matches!(self, Self::Object { .. } | Self::Mail { .. })
    }
}

/// The run that a packet belongs to.
#[derive(Clone, Debug)]
pub enum RunRef {
    /// A new run for an order that the packet accepts.
    New {
        /// The order's key.
        key: Arc<str>,
        /// The order's digest.
        digest: Digest,
        /// The digest of the order without its ignored members; `None` if all members count.
        reduced: Option<Digest>,
        /// The time of acceptance, in milliseconds since 1970.
        accepted_at: i64,
        /// The order's bytes.
        body: Arc<[u8]>,
    },
    /// A run that is in the database.
    Existing {
        /// The run's row number.
        id: i64,
    },
}

/// The events and writes of a run since its last commit.
pub struct Packet {
    /// The run.
    pub run: RunRef,
    /// The bundle of the run.
    pub bundle: i64,
    /// The run's state.
    pub state: RunState,
    /// When the run continues, in milliseconds since 1970.
    pub wait_until: Option<i64>,
    /// Why the run is parked; for a completed run, the causes that were caught.
    pub cause: Option<String>,
    /// Number of failures that a catch step has handled.
    pub caught: u32,
    /// The steps that failed.
    pub failed_steps: Vec<Arc<str>>,
    /// Whether a user retried the run.
    pub is_retry: bool,
    /// The time of the packet, in milliseconds since 1970.
    pub now: i64,
    /// The events, encoded for the journal.
    pub events: String,
    /// The staged writes of the steps, in order.
    pub writes: Arc<[Write]>,
    /// The committed rows and objects that the steps read.
    pub reads: Arc<Reads>,
    /// The position of the order in the input; `None` for a run that is in the database.
    pub turn: Option<Turn>,
    /// Whether the objects and e-mails are exported.
    pub is_exported: bool,
    /// The locks that the run holds.
    pub lock: Option<LockId>,
    /// Receives the outcome, or `None` if the disk is full.
    pub reply: oneshot::Sender<Option<Outcome>>,
}

impl Packet {
    /// Returns the rows and objects that the packet reads or writes.
    pub(crate) fn items(&self) -> Vec<Item> {
        items(&self.reads, &self.writes)
    }
}

/// Returns the rows and objects that a stretch read or wrote.
pub fn items(reads: &Reads, writes: &[Write]) -> Vec<Item> {
    reads.keys().copied().chain(writes.iter().filter_map(Item::written)).collect()
}

/// The result of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The packet is committed.
    Committed {
        /// The run's row number.
        id: i64,
    },
    /// The same order already exists.
    Duplicate,
    /// Another order with this key exists.
    Conflict,
    /// Another run changed data that this run has read, or created a row or an object that
    /// conflicts with a write. No part of the packet is committed, and the stretch has to be
    /// executed again.
    Refused,
}

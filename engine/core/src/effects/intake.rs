//! Ports of an intake and its handlers besides those of steps: stored orders, events of e-mails, and
//! the notes of handlers on orders.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::ports::{Io, RunInfo};
use super::run_state::RunState;
use crate::value::Digest;

/// An order as an intake stores it.
#[derive(Clone, Debug)]
pub struct StoredOrder {
    /// The bytes as the client sent them.
    pub body: Arc<[u8]>,
    /// The digest of the order; `None` if it was not stored by an intake.
    pub digest: Option<Digest>,
    /// The name that the order arrived under; `None` if it was not stored by an intake.
    pub name: Option<Arc<str>>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The version of the exchange rates at that time; `None` for the rates embedded in the
    /// handlers.
    pub rates: Option<Arc<str>>,
    /// Whether the order was erased. Its digest and its name remain.
    pub is_erased: bool,
}

/// The result of storing an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreResult {
    /// No order was stored under the key.
    New,
    /// The same order was already stored.
    Same,
    /// A different order was already stored: its bytes, unless it was deleted or erased in the
    /// meantime.
    Other(Option<Arc<[u8]>>),
}

/// The location of a stored order, as given in a notification.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize, Serialize)]
pub struct OrderLocation {
    /// The actual name of the bucket.
    pub bucket: String,
    /// The key of the object.
    pub key: String,
    /// The version, if the bucket keeps versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A message of this program that names orders for a handler.
#[derive(Deserialize, Serialize)]
struct OrderMessage {
    objects: Vec<OrderLocation>,
}

impl OrderLocation {
    /// Returns the message that names this order for a handler:
    /// `{"objects": [{"bucket": …, "key": …, "version": …}]}`.
    pub fn to_message(&self) -> Json {
        json!(OrderMessage { objects: vec![self.clone()] })
    }

    /// Returns the orders that a message names; `None` if it is not such a message.
    pub fn from_message(message: &Json) -> Option<Vec<Self>> {
        OrderMessage::deserialize(message).ok().map(|message| message.objects)
    }
}

/// Stored orders.
pub trait Orders: Send + Sync {
    /// Stores an order under a key if the key is free. Otherwise compares the digests. `bucket` is
    /// its name in the pipeline.
    fn store<'a>(
        &'a self,
        bucket: &'a str,
        key: &'a str,
        order: &'a StoredOrder,
    ) -> Io<'a, StoreResult>;

    /// Returns the order at a place, or `None` if it no longer exists.
    fn fetch<'a>(&'a self, place: &'a OrderLocation) -> Io<'a, Option<StoredOrder>>;

    /// Returns the next page of stored orders after `after`, in the order of their keys. The page
    /// is empty if there are no more.
    fn list<'a>(&'a self, bucket: &'a str, after: Option<&'a str>) -> Io<'a, Vec<ListedOrder>>;
}

/// Minimum age of an order that can be cancelled. Handlers do not read the note on a younger order
/// when its message is delivered for the first time.
pub const CANCEL_AGE: Duration = Duration::from_secs(60);

/// A stored order in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedOrder {
    /// The key of the object.
    pub object: String,
    /// The time when the object was stored.
    pub stored_at: Timestamp,
    /// Whether the object is empty, because the order was erased.
    pub is_empty: bool,
}

/// An event of an e-mail after an attempt to send it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum MailEvent {
    /// The provider accepted the e-mail.
    Sent,
    /// The e-mail could not be delivered.
    Bounced,
    /// The recipient marked the e-mail as spam.
    Complained,
    /// The provider rejected the e-mail after it had accepted it, for example because of a virus.
    Rejected,
}

impl MailEvent {
    /// All events, in the order of their declaration.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Bounced, Self::Complained, Self::Rejected];

    /// Returns the name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Bounced => "bounced",
            Self::Complained => "complained",
            Self::Rejected => "rejected",
        }
    }
}

/// The attempt of an e-mail that an event is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailAttempt {
    /// The idempotency key of the step.
    pub key: String,
    /// The id of the attempt.
    pub attempt: String,
    /// The provider's id of the e-mail.
    pub provider_id: String,
}

/// The record of the events of e-mails.
pub trait MailEvents: Send + Sync {
    /// Records an event. `detail` describes it without personal data. [`MailEvent::Sent`] also
    /// settles the claim of the attempt: its outcome is no longer unknown.
    fn record<'a>(
        &'a self,
        event: MailEvent,
        attempt: &'a MailAttempt,
        detail: &'a str,
    ) -> Io<'a, ()>;
}

/// A file of exchange rates that is refreshed regularly. All its versions are kept.
pub trait RateFile: Send + Sync {
    /// Returns the current version; `None` if no version exists yet.
    fn version(&self) -> Io<'_, Option<String>>;

    /// Returns the bytes of a version; `None` if it no longer exists.
    fn read<'a>(&'a self, version: &'a str) -> Io<'a, Option<Arc<[u8]>>>;

    /// Stores a new version.
    fn write<'a>(&'a self, bytes: Arc<[u8]>) -> Io<'a, ()>;
}

/// A note that a handler is done with an order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct DoneNote {
    /// The handler.
    pub handler: Arc<str>,
    /// The key of the order's object.
    pub object: Arc<str>,
}

/// A handler's note on an order that is delivered again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandlerNote {
    /// Whether the handler is done with the order, has parked it, waits for its next attempt, or an
    /// operator has cancelled the order.
    pub state: RunState,
    /// The text that was passed to [`Branches::waiting`], if the handler waits.
    pub attempts: Option<String>,
}

/// An order for which a handler has no note.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MissingNote {
    /// The key of the order's object.
    pub object: String,
    /// The handler.
    pub handler: String,
}

/// The notes of handlers on their orders. The note that a handler is done is written together with
/// the run's last effect ([`Call::done_note`]).
///
/// [`Call::done_note`]: super::Call::done_note
pub trait Branches: Send + Sync {
    /// Notes that a handler is done with a run.
    fn done<'a>(&'a self, run: &'a RunInfo, note: &'a DoneNote) -> Io<'a, ()>;

    /// Notes that a handler cannot process an order until its cause is fixed. Returns `false`, and
    /// notes nothing, if the handler is done with the order or the order was cancelled.
    fn parked<'a>(
        &'a self,
        pipeline: &'a str,
        key: &'a str,
        note: &'a DoneNote,
        cause: &'a str,
        reason: &'a str,
    ) -> Io<'a, bool>;

    /// Notes that a handler waits before it processes an order again, with the cause and the reason
    /// of the last failure. `attempts` is a text that [`noted`](Self::noted) returns later. Returns
    /// `false`, and notes nothing, if the handler is done with the order or the order was
    /// cancelled.
    fn waiting<'a>(
        &'a self,
        pipeline: &'a str,
        key: &'a str,
        note: &'a DoneNote,
        failure: (&'a str, &'a str),
        attempts: &'a str,
    ) -> Io<'a, bool>;

    /// Returns a handler's note on an order; `None` if it has no note.
    fn noted<'a>(&'a self, pipeline: &'a str, note: &'a DoneNote) -> Io<'a, Option<HandlerNote>>;

    /// Returns the pairs of an order and a handler that have no note.
    fn missing<'a>(
        &'a self,
        pipeline: &'a str,
        handlers: &'a [&'a str],
        objects: &'a [&'a str],
    ) -> Io<'a, Vec<MissingNote>>;

    /// Returns the object after which the next comparison starts, because the last one ran out of
    /// time there.
    fn cursor<'a>(&'a self, pipeline: &'a str) -> Io<'a, Option<String>>;

    /// Stores the object after which the next comparison starts; `None` for the first object.
    fn set_cursor<'a>(&'a self, pipeline: &'a str, after: Option<&'a str>) -> Io<'a, ()>;
}

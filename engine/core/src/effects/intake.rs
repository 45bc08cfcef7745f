//! What an intake and the handlers behind it exchange besides the ports: stored orders, messages, and which handler is done with what.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value as Json, json};

use super::ports::{Io, RunInfo};
use crate::value::Digest;

/// An order as an intake stores it.
#[derive(Clone, Debug)]
pub struct StoredOrder {
    /// The bytes as they were sent.
    pub body: Arc<[u8]>,
    /// The digest of the order; nothing if something else than an intake stored it.
    pub digest: Option<Digest>,
    /// The name that it came in under; nothing if something else than an intake stored it.
    pub name: Option<Arc<str>>,
    /// When it was accepted.
    pub accepted_at: Timestamp,
    /// The version of the exchange rates that were there then; nothing for those that the handlers embed.
    pub rates: Option<Arc<str>>,
}

/// What storing an order found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is new.
    New,
    /// The same order was there.
    Same,
    /// Another order was there: its bytes, unless it was deleted meanwhile.
    Other(Option<Arc<[u8]>>),
}

/// Where an order is stored, as a notification says.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
pub struct Place {
    /// The bucket's real name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The version, where versions are kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// A message of ours that tells a handler of orders.
#[derive(Deserialize, Serialize)]
struct Told {
    objects: Vec<Place>,
}

impl Place {
    /// Writes the message that tells a handler of this order: `{"objects": [{"bucket": …, "key": …, "version": …}]}`.
    pub fn message(&self) -> Json {
        json!(Told { objects: vec![self.clone()] })
    }

    /// Reads which orders such a message tells of; nothing if it is none.
    pub fn told(message: &Json) -> Option<Vec<Self>> {
        Told::deserialize(message).ok().map(|told| told.objects)
    }
}

/// Stored orders.
pub trait Orders: Send + Sync {
    /// Stores an order under a key where nothing may be yet; what is there is compared by its digest. `bucket` is the pipeline's name of it.
    fn keep<'a>(&'a self, bucket: &'a str, key: &'a str, order: &'a StoredOrder) -> Io<'a, Kept>;

    /// Returns what is stored there, or nothing if it is gone.
    fn fetch<'a>(&'a self, place: &'a Place) -> Io<'a, Option<StoredOrder>>;

    /// Returns some of what is stored, in the order of the keys, from behind `after` on; none if nothing is left.
    fn list<'a>(&'a self, bucket: &'a str, after: Option<&'a str>) -> Io<'a, Vec<Listed>>;
}

/// A stored order in a listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The object's key.
    pub object: String,
    /// When it was stored.
    pub stored_at: Timestamp,
}

/// A queue of messages: of a handler's orders, or of those that it cannot work on until somebody changes something.
pub trait Queue: Send + Sync {
    /// Puts a message there; `cause` says why it is among the dead letters.
    fn send<'a>(&'a self, body: String, cause: Option<&'a str>) -> Io<'a, ()>;
}

/// A file of exchange rates that is brought up to date now and then, all versions of which are kept.
pub trait RateFile: Send + Sync {
    /// Returns the version that is there now; nothing if there is none yet.
    fn version(&self) -> Io<'_, Option<String>>;

    /// Returns a version's bytes; nothing if it is gone.
    fn read<'a>(&'a self, version: &'a str) -> Io<'a, Option<Arc<[u8]>>>;

    /// Stores the next version.
    fn write<'a>(&'a self, bytes: Arc<[u8]>) -> Io<'a, ()>;
}

/// Which handler is done with which order.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The handler.
    pub handler: Arc<str>,
    /// The key of the object that the order is stored as.
    pub object: Arc<str>,
}

/// An order that a handler is not known to have worked on.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Missing {
    /// The key of the object that the order is stored as.
    pub object: String,
    /// The handler.
    pub handler: String,
}

/// The notes of the handlers on what they are done with. The note of a run's last effect is made together with it ([`Call::mark`]).
///
/// [`Call::mark`]: super::Call::mark
pub trait Branches: Send + Sync {
    /// Notes that a handler is done with a run.
    fn done<'a>(&'a self, run: &'a RunInfo, mark: &'a Mark) -> Io<'a, ()>;

    /// Notes that a handler cannot work on an order until somebody changes something. What it is done with stays done.
    fn parked<'a>(
        &'a self,
        pipeline: &'a str,
        key: &'a str,
        mark: &'a Mark,
        cause: &'a str,
        reason: &'a str,
    ) -> Io<'a, ()>;

    /// Returns which of these orders which of these handlers has no note on.
    fn missing<'a>(
        &'a self,
        pipeline: &'a str,
        handlers: &'a [&'a str],
        objects: &'a [&'a str],
    ) -> Io<'a, Vec<Missing>>;

    /// Returns behind which object the next comparison begins: where the last one had no more time.
    fn cursor<'a>(&'a self, pipeline: &'a str) -> Io<'a, Option<String>>;

    /// Notes behind which object the next comparison begins; nothing for the first object.
    fn set_cursor<'a>(&'a self, pipeline: &'a str, after: Option<&'a str>) -> Io<'a, ()>;
}

//! What an intake and the handlers behind it exchange besides the ports: stored orders, and what cannot be worked on.

use std::sync::Arc;

use jiff::Timestamp;

use super::ports::Io;
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
}

/// What storing an order found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// It is new.
    New,
    /// The same order was there.
    Same,
    /// Another order was there.
    Other,
}

/// Where an order is stored, as a notification says.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Place {
    /// The bucket's real name.
    pub bucket: String,
    /// The object's key.
    pub key: String,
    /// The version, where versions are kept.
    pub version: Option<String>,
}

/// Stored orders.
pub trait Orders: Send + Sync {
    /// Stores an order under a key where nothing may be yet; what is there is compared by its digest. `bucket` is the pipeline's name of it.
    fn keep<'a>(&'a self, bucket: &'a str, key: &'a str, order: &'a StoredOrder) -> Io<'a, Kept>;

    /// Returns what is stored there, or nothing if it is gone.
    fn fetch<'a>(&'a self, place: &'a Place) -> Io<'a, Option<StoredOrder>>;
}

/// Where messages go that cannot be worked on until somebody changes something.
pub trait DeadLetters: Send + Sync {
    /// Puts a message there, with the cause as an attribute.
    fn send<'a>(&'a self, body: String, cause: &'a str) -> Io<'a, ()>;
}

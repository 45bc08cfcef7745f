//! The port traits and what crosses them. No vendor's type does.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::clock::{Clock, Random};
use super::error::StepError;
use super::intake::Mark;
use super::reads::Reads;
use crate::mail::Mail;
use crate::table::TableDef;
use crate::value::{Digest, Value};

/// A call through a port, under way.
pub type Io<'a, T> = Pin<Box<dyn Future<Output = Result<T, StepError>> + Send + 'a>>;

/// What is fixed about a run from its acceptance on.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// The pipeline's name.
    pub pipeline: Arc<str>,
    /// The order's key.
    pub key: Arc<str>,
    /// The run's id: it follows from pipeline and key.
    pub id: Arc<str>,
    /// When the order was accepted.
    pub accepted_at: Timestamp,
    /// The order's bytes as they were sent.
    pub body: Arc<[u8]>,
    /// The digest of the order, by which the same order is recognised.
    pub digest: Digest,
}

/// Who calls: one step, or one element of a step with `for_each`, in one run.
#[derive(Clone, Debug)]
pub struct Call {
    /// The run.
    pub run: Arc<RunInfo>,
    /// The step's id.
    pub step: Arc<str>,
    /// The element's position in a step with `for_each`.
    pub element: Option<u32>,
    /// The idempotency key: it follows from pipeline, key, step and element, and is the same on every attempt.
    pub key: Arc<str>,
    /// Whether it may be done again where nobody knows whether it was done (`on_unknown: resend`).
    pub again: bool,
    /// Whether something may have been done outside of this process already.
    pub doubt: Doubt,
    /// What the stretch read so far.
    pub reads: Arc<Reads>,
    /// What is noted together with this call, because a handler is done with the order when it is done.
    pub mark: Option<Arc<Mark>>,
}

/// Whether an attempt that is cut off now may have done something outside of this process.
#[derive(Clone, Debug, Default)]
pub struct Doubt(Arc<AtomicBool>);

impl Doubt {
    /// Says that from now on it is not sure any more that nothing was done.
    pub fn begin(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Says that nothing was done so far.
    pub fn lift(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Tells whether something may have been done.
    pub fn has_begun(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// An object to store.
#[derive(Clone, Debug)]
pub struct Put {
    /// The bucket's name in the pipeline.
    pub bucket: Arc<str>,
    /// The object's key.
    pub key: Arc<str>,
    /// Its bytes.
    pub body: Arc<[u8]>,
    /// Its media type.
    pub content_type: &'static str,
}

/// Objects by bucket and key.
pub trait ObjectStore: Send + Sync {
    /// Stores an object. The same content under the same key changes nothing.
    ///
    /// # Errors
    /// `conflict` if another run stored other content there.
    fn put<'a>(&'a self, call: &'a Call, object: Put) -> Io<'a, ()>;

    /// Returns an object's bytes, or nothing if there is none.
    fn get<'a>(
        &'a self,
        call: &'a Call,
        bucket: &'a str,
        key: &'a str,
    ) -> Io<'a, Option<Arc<[u8]>>>;
}

/// What is announced on a topic: which order, not its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The topic's name in the pipeline.
    pub topic: Arc<str>,
}

/// Announcements to whoever listens.
pub trait Topic: Send + Sync {
    /// Announces the run's order, at least once.
    fn publish<'a>(&'a self, call: &'a Call, message: Message) -> Io<'a, ()>;
}

/// What an insert found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inserted {
    /// The row is new.
    New,
    /// This run had written it before; it stands as it was.
    Repeated,
}

/// Rows of declared tables.
pub trait Tables: Send + Sync {
    /// Adds a row. Repeated by the same run it changes nothing.
    ///
    /// # Errors
    /// `conflict` if another run wrote a row with that key, or this one wrote a different row.
    fn insert<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        row: Value,
    ) -> Io<'a, Inserted>;

    /// Adds a row or replaces the one with its key. Repeated by the same step it changes nothing.
    fn upsert<'a>(&'a self, call: &'a Call, table: &'a Arc<TableDef>, row: Value) -> Io<'a, ()>;

    /// Returns the row with a key, or nothing. `key` has the table's key columns in their order.
    fn get<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        key: Vec<Value>,
    ) -> Io<'a, Option<Value>>;
}

/// Mail on its way out.
pub trait Mailer: Send + Sync {
    /// Sends a mail under the call's key. A world that keeps mails keeps one for each key. Where mail leaves this process the attempt was
    /// claimed and is in doubt from its beginning; a mailer that knows until when surely nothing was sent lifts [`Call::doubt`], and begins it again
    /// before it gives the message away.
    fn send<'a>(&'a self, call: &'a Call, mail: Mail) -> Io<'a, ()>;

    /// Asks for leave to claim a mail, so that no more are claimed than can be sent at once; what is claimed when the process ends is in
    /// doubt. Nothing comes back if there is no leave now and nobody is to wait for it, or if no more mails are sent.
    fn admit(&self, _wait: bool) -> Admission<'_> {
        Box::pin(std::future::ready(Some(Box::new(()) as Leave)))
    }

    /// Gives no more leave, to nobody who waits either: the process is about to end.
    fn close(&self) {}
}

/// Leave to claim one mail, as long as it is held.
pub type Leave = Box<dyn Send + Sync>;

/// Leave to claim a mail, on its way.
pub type Admission<'a> = Pin<Box<dyn Future<Output = Option<Leave>> + Send + 'a>>;

/// Which parts of the world are out of this process. What is done to them cannot be taken back with a transaction, so that it is
/// claimed before: the event `Claimed` is durable before it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outside {
    /// Mail.
    pub mail: bool,
    /// What a kind of somebody's own reaches.
    pub custom: bool,
}

/// One run's view of the world.
pub trait Effects: Send + Sync {
    /// Objects.
    fn objects(&self) -> &dyn ObjectStore;
    /// Announcements.
    fn topics(&self) -> &dyn Topic;
    /// Tables.
    fn tables(&self) -> &dyn Tables;
    /// Mail.
    fn mail(&self) -> &dyn Mailer;
    /// Time.
    fn clock(&self) -> &dyn Clock;
    /// Chance.
    fn random(&self) -> &dyn Random;
    /// Says how the attempt behind a call ended: what it staged is kept for the step's event, or forgotten.
    fn settle(&self, call: &Call, keep: bool);
    /// Says which parts of the world are out of this process.
    fn outside(&self) -> Outside;
}

/// A world that is every port itself, and with that its own view.
pub trait World: ObjectStore + Topic + Tables + Mailer + Clock + Random {
    /// Says how the attempt behind a call ended. A world whose writes are real at once has nothing to do.
    fn ended(&self, _: &Call, _keep: bool) {}

    /// Says which parts of it are out of this process.
    fn reaches(&self) -> Outside {
        Outside::default()
    }
}

impl<W: World> Effects for W {
    fn objects(&self) -> &dyn ObjectStore {
        self
    }

    fn topics(&self) -> &dyn Topic {
        self
    }

    fn tables(&self) -> &dyn Tables {
        self
    }

    fn mail(&self) -> &dyn Mailer {
        self
    }

    fn clock(&self) -> &dyn Clock {
        self
    }

    fn random(&self) -> &dyn Random {
        self
    }

    fn settle(&self, call: &Call, keep: bool) {
        self.ended(call, keep);
    }

    fn outside(&self) -> Outside {
        self.reaches()
    }
}

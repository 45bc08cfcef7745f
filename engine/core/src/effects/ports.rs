//! The port traits and the types in their signatures. None of these types belongs to a vendor.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use super::clock::{Clock, Random};
use super::error::StepError;
use super::intake::DoneNote;
use super::reads::Reads;
use super::services::{AnswerSlot, NoServices, Services};
use crate::mail::Mail;
use crate::table::TableDef;
use crate::value::{Digest, Value};

/// A pending call through a port.
pub type Io<'a, T> = Pin<Box<dyn Future<Output = Result<T, StepError>> + Send + 'a>>;

/// The constant data of a run, known since the order was accepted.
#[derive(Clone, Debug)]
pub struct RunInfo {
    /// The pipeline's name.
    pub pipeline: Arc<str>,
    /// The order's key.
    pub key: Arc<str>,
    /// The run's id, derived from pipeline and key.
    pub id: Arc<str>,
    /// When the order was accepted.
    pub accepted_at: Timestamp,
    /// The order's bytes as the client sent them.
    pub body: Arc<[u8]>,
    /// The digest of the order, which identifies repetitions of the same order.
    pub digest: Digest,
    /// The digest of the order without the members that do not make it another order; `None` if all
    /// members count.
    pub reduced: Option<Digest>,
}

/// The caller: one step, or one element of a step with `for_each`, in one run.
#[derive(Clone, Debug)]
pub struct Call {
    /// The run.
    pub run: Arc<RunInfo>,
    /// The step's id.
    pub step: Arc<str>,
    /// The element's position in a step with `for_each`.
    pub element: Option<u32>,
    /// The number of the attempt, from 1.
    pub attempt: u32,
    /// The idempotency key. It is derived from pipeline, key, step and element, and is the same on
    /// every attempt.
    pub key: Arc<str>,
    /// Whether the effect may be repeated if its outcome is unknown (`on_unknown: resend`).
    pub may_resend: bool,
    /// Whether an external effect may already have happened.
    pub outcome_unknown: OutcomeUnknown,
    /// The idempotency key of a request to a service. Unlike `key`, it changes after the service
    /// has refused a request.
    pub request_key: Arc<str>,
    /// The answer of a service.
    pub answer: AnswerSlot,
    /// What the stretch has read so far.
    pub reads: Arc<Reads>,
    /// The note to write together with this call, if the handler is done with the order after it.
    pub done_note: Option<Arc<DoneNote>>,
}

/// Whether an attempt that is interrupted now may have had an external effect.
#[derive(Clone, Debug, Default)]
pub struct OutcomeUnknown(Arc<AtomicBool>);

impl OutcomeUnknown {
    /// Declares that an effect may have happened from now on.
    pub fn set(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Declares that no effect has happened so far.
    pub fn clear(&self) {
        self.0.store(false, Ordering::SeqCst);
    }

    /// Returns whether an effect may have happened.
    pub fn is_set(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// An object to store.
#[derive(Clone, Debug)]
pub struct Put {
    /// The bucket's name in the pipeline.
    pub bucket: Arc<str>,
    /// The key of the object.
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
    /// Returns an error with the cause `conflict` if another run stored other content there.
    fn put<'a>(&'a self, call: &'a Call, object: Put) -> Io<'a, ()>;

    /// Returns an object's bytes, or `None` if it does not exist.
    fn get<'a>(
        &'a self,
        call: &'a Call,
        bucket: &'a str,
        key: &'a str,
    ) -> Io<'a, Option<Arc<[u8]>>>;
}

/// An announcement on a topic. It names the order and does not contain it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The topic's name in the pipeline.
    pub topic: Arc<str>,
}

/// Announcements to subscribers.
pub trait Topic: Send + Sync {
    /// Announces the run's order, at least once.
    fn publish<'a>(&'a self, call: &'a Call, message: Message) -> Io<'a, ()>;
}

/// The result of an insert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertResult {
    /// The row is new.
    New,
    /// This run had already inserted the same row, which is unchanged.
    Repeated,
}

/// Computes the new row from the current one, which is `None` if it does not exist. Returns `None`
/// to leave the row as it is. It may be called several times, because another run may change the
/// row in the meantime.
pub type RowChange = Arc<dyn Fn(Option<&Value>) -> Result<Option<Value>, StepError> + Send + Sync>;

/// A change of some columns of a row, which depends on the current row.
#[derive(Clone)]
pub struct Update {
    /// The values of the table's key columns, in their order.
    pub key: Vec<Value>,
    /// The positions of the columns that change. They are not part of the key.
    pub columns: Arc<[usize]>,
    /// Computes the new row.
    pub change: RowChange,
}

/// Rows of declared tables.
pub trait Tables: Send + Sync {
    /// Inserts a row. A repetition by the same run has no effect.
    ///
    /// # Errors
    /// Returns an error with the cause `conflict` if the table has a row with this key that this
    /// run did not write, or if this run wrote a different row.
    fn insert<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        row: Value,
    ) -> Io<'a, InsertResult>;

    /// Inserts a row or replaces the row with its key. A repetition by the same step has no effect.
    fn upsert<'a>(&'a self, call: &'a Call, table: &'a Arc<TableDef>, row: Value) -> Io<'a, ()>;

    /// Changes columns of an existing row, and returns whether it did. No other write to the row
    /// takes effect between the read and the change. A repetition by the same step has no effect
    /// and returns the same result.
    ///
    /// # Errors
    /// Returns the error of the change.
    fn update<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        update: Update,
    ) -> Io<'a, bool>;

    /// Returns the row with a key, or `None`. `key` has the table's key columns in their order.
    fn get<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        key: Vec<Value>,
    ) -> Io<'a, Option<Value>>;
}

/// Outgoing e-mail.
pub trait Mailer: Send + Sync {
    /// Sends an e-mail under the call's key. A world that stores e-mails stores one for each key.
    ///
    /// Where e-mail leaves this process, the attempt was claimed and its outcome is unknown from
    /// its start. A mailer that knows that nothing has been sent yet clears
    /// [`Call::outcome_unknown`], and sets it again before it hands over the message.
    fn send<'a>(&'a self, call: &'a Call, mail: Mail) -> Io<'a, ()>;

    /// Requests permission to claim an e-mail. Permissions limit the claims to what can be sent
    /// immediately, because the outcome of everything claimed is unknown if the process ends.
    /// Returns `None` if permission is not available now and `wait` is false, or if the mailer is
    /// closed.
    fn acquire_permit(&self, _wait: bool) -> PendingPermit<'_> {
        Box::pin(std::future::ready(Some(Box::new(()) as Permit)))
    }

    /// Stops granting permissions, even to callers that are already waiting, because the process is
    /// about to end.
    fn close(&self) {}
}

/// Permission to claim one e-mail, valid until it is dropped.
pub type Permit = Box<dyn Send + Sync>;

/// A pending permission to claim an e-mail.
pub type PendingPermit<'a> = Pin<Box<dyn Future<Output = Option<Permit>> + Send + 'a>>;

/// The parts of the world that are outside this process. A transaction cannot undo an effect there,
/// so it is claimed first: [`Event::Claimed`](crate::run::Event::Claimed) is durable before the
/// effect begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExternalPorts {
    /// E-mail.
    pub mail: bool,
    /// HTTP services.
    pub services: bool,
    /// The systems that custom kinds reach.
    pub custom: bool,
}

/// A run's view of the world.
pub trait Effects: Send + Sync {
    /// Objects.
    fn objects(&self) -> &dyn ObjectStore;
    /// Topics.
    fn topics(&self) -> &dyn Topic;
    /// Tables.
    fn tables(&self) -> &dyn Tables;
    /// E-mail.
    fn mail(&self) -> &dyn Mailer;
    /// HTTP services.
    fn services(&self) -> &dyn Services {
        &NO_SERVICES
    }
    /// Time.
    fn clock(&self) -> &dyn Clock;
    /// Randomness.
    fn random(&self) -> &dyn Random;
    /// Reports the end of the attempt behind a call. Its staged writes are kept for the step's
    /// event if `keep_writes` is true, and discarded otherwise.
    fn finish_attempt(&self, call: &Call, keep_writes: bool);
    /// Returns which parts of the world are outside this process.
    fn external_ports(&self) -> ExternalPorts;
}

/// The services of a world without services.
const NO_SERVICES: NoServices = NoServices("this environment cannot call services");

/// A world that implements every port and is also its own view.
pub trait World: ObjectStore + Topic + Tables + Mailer + Clock + Random {
    /// Handles the end of the attempt behind a call. A world whose writes take effect immediately
    /// has nothing to do.
    fn finish_attempt(&self, _: &Call, _keep: bool) {}

    /// Returns the HTTP services.
    fn services(&self) -> &dyn Services {
        &NO_SERVICES
    }

    /// Returns which parts of the world are outside this process.
    fn external_ports(&self) -> ExternalPorts {
        ExternalPorts::default()
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

    fn services(&self) -> &dyn Services {
        self.services()
    }

    fn clock(&self) -> &dyn Clock {
        self
    }

    fn random(&self) -> &dyn Random {
        self
    }

    fn finish_attempt(&self, call: &Call, keep: bool) {
        self.finish_attempt(call, keep);
    }

    fn external_ports(&self) -> ExternalPorts {
        self.external_ports()
    }
}

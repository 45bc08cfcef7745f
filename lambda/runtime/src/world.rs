//! The world of a handler: only the services that its steps use.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_clock::SystemClock;
use oms_engine::effects::{
    Branches, Call, Clock, Effects, ExternalPorts, InsertResult, Io, Mailer, Message, ObjectStore,
    Put, Random, StepError, Tables, Topic, Update, cause,
};
use oms_engine::mail::Mail;
use oms_engine::table::TableDef;
use oms_engine::value::Value;

/// The services of a handler.
#[derive(Clone, Default)]
pub struct World {
    /// Objects.
    pub objects: Option<Arc<dyn ObjectStore>>,
    /// Topics.
    pub topics: Option<Arc<dyn Topic>>,
    /// Tables.
    pub tables: Option<Arc<dyn Tables>>,
    /// Mail.
    pub mail: Option<Arc<dyn Mailer>>,
    /// The store of the handlers' notes on orders.
    pub branches: Option<Arc<dyn Branches>>,
}

/// A service that the handler was generated without. The steps of the handler never use it.
struct Unavailable;

fn unavailable<T: Send + 'static>() -> Io<'static, T> {
    Box::pin(std::future::ready(Err(StepError::transient(
        cause::ENVIRONMENT,
        "this handler was generated without the service that the step needs",
    ))))
}

impl ObjectStore for Unavailable {
    fn put<'a>(&'a self, _: &'a Call, _: Put) -> Io<'a, ()> {
        unavailable()
    }

    fn get<'a>(&'a self, _: &'a Call, _: &'a str, _: &'a str) -> Io<'a, Option<Arc<[u8]>>> {
        unavailable()
    }
}

impl Topic for Unavailable {
    fn publish<'a>(&'a self, _: &'a Call, _: Message) -> Io<'a, ()> {
        unavailable()
    }
}

impl Tables for Unavailable {
    fn insert<'a>(&'a self, _: &'a Call, _: &'a Arc<TableDef>, _: Value) -> Io<'a, InsertResult> {
        unavailable()
    }

    fn upsert<'a>(&'a self, _: &'a Call, _: &'a Arc<TableDef>, _: Value) -> Io<'a, ()> {
        unavailable()
    }

    fn update<'a>(&'a self, _: &'a Call, _: &'a Arc<TableDef>, _: Update) -> Io<'a, bool> {
        unavailable()
    }

    fn get<'a>(
        &'a self,
        _: &'a Call,
        _: &'a Arc<TableDef>,
        _: Vec<Value>,
    ) -> Io<'a, Option<Value>> {
        unavailable()
    }
}

impl Mailer for Unavailable {
    fn send<'a>(&'a self, _: &'a Call, _: Mail) -> Io<'a, ()> {
        unavailable()
    }
}

impl Clock for World {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }

    fn sleep(&self, duration: Duration) -> Io<'_, ()> {
        Box::pin(async move { SystemClock.sleep(duration).await })
    }
}

impl Random for World {
    fn next(&self) -> u64 {
        SystemClock.next()
    }
}

impl Effects for World {
    fn objects(&self) -> &dyn ObjectStore {
        self.objects.as_deref().unwrap_or(&Unavailable)
    }

    fn topics(&self) -> &dyn Topic {
        self.topics.as_deref().unwrap_or(&Unavailable)
    }

    fn tables(&self) -> &dyn Tables {
        self.tables.as_deref().unwrap_or(&Unavailable)
    }

    fn mail(&self) -> &dyn Mailer {
        self.mail.as_deref().unwrap_or(&Unavailable)
    }

    fn clock(&self) -> &dyn Clock {
        self
    }

    fn random(&self) -> &dyn Random {
        self
    }

    fn finish_attempt(&self, _: &Call, _: bool) {}

    /// Effects take place immediately. The mailer itself claims an e-mail in the database, because
    /// two invocations may process the same order.
    fn external_ports(&self) -> ExternalPorts {
        ExternalPorts::default()
    }
}

//! A world whose services fail now and then, either before a call takes effect or after it, when
//! the reply is lost.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::memory::MemoryWorld;
use oms_engine::effects::{
    Call, CallError, CallErrorKind, Clock, ExternalPorts, InsertResult, Io, Mailer, Message,
    ObjectStore, PendingAnswer, Put, Random, ServiceRequest, Services, StepError, Tables, Topic,
    Update, World, cause,
};
use oms_engine::mail::Mail;
use oms_engine::table::TableDef;
use oms_engine::value::Value;

use super::rng::Rng;

/// A memory world with pseudorandom faults.
pub(crate) struct FaultyWorld<'w> {
    world: &'w MemoryWorld,
    rng: Mutex<Rng>,
    /// One in this many calls fails.
    interval: usize,
    /// The number of times that each e-mail was sent, by key, if mail leaves the process.
    sent: Option<Mutex<BTreeMap<Arc<str>, u32>>>,
}

impl<'w> FaultyWorld<'w> {
    pub(crate) fn new(world: &'w MemoryWorld, seed: u64, interval: usize) -> Self {
        Self { world, rng: Mutex::new(Rng(seed)), interval, sent: None }
    }

    /// Creates a world whose mail leaves the process: a sent e-mail cannot be taken back, and if
    /// the reply is lost the outcome is unknown.
    pub(crate) fn mailing(world: &'w MemoryWorld, seed: u64, interval: usize) -> Self {
        Self { sent: Some(Mutex::default()), ..Self::new(world, seed, interval) }
    }

    /// Returns how often each e-mail was sent.
    pub(crate) fn sent(&self) -> BTreeMap<Arc<str>, u32> {
        self.sent.as_ref().map(|sent| sent.lock().unwrap().clone()).unwrap_or_default()
    }

    fn works(&self) -> Result<(), StepError> {
        // This is called before and after each port call, so each of the two checks has half of the
        // probability.
        if self.rng.lock().unwrap().one_in(self.interval * 2) {
            return Err(StepError::transient(cause::UNAVAILABLE, "injected fault"));
        }
        Ok(())
    }

    fn around<'a, T: Send + 'a>(
        &'a self,
        act: impl FnOnce() -> Io<'a, T> + Send + 'a,
    ) -> Io<'a, T> {
        Box::pin(async move {
            self.works()?;
            let done = act().await?;
            self.works()?;
            Ok(done)
        })
    }
}

impl ObjectStore for FaultyWorld<'_> {
    fn put<'a>(&'a self, call: &'a Call, object: Put) -> Io<'a, ()> {
        self.around(move || self.world.put(call, object))
    }

    fn get<'a>(
        &'a self,
        call: &'a Call,
        bucket: &'a str,
        key: &'a str,
    ) -> Io<'a, Option<Arc<[u8]>>> {
        self.around(move || ObjectStore::get(self.world, call, bucket, key))
    }
}

impl Topic for FaultyWorld<'_> {
    fn publish<'a>(&'a self, call: &'a Call, message: Message) -> Io<'a, ()> {
        self.around(move || self.world.publish(call, message))
    }
}

impl Tables for FaultyWorld<'_> {
    fn insert<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        row: Value,
    ) -> Io<'a, InsertResult> {
        self.around(move || self.world.insert(call, table, row))
    }

    fn upsert<'a>(&'a self, call: &'a Call, table: &'a Arc<TableDef>, row: Value) -> Io<'a, ()> {
        self.around(move || self.world.upsert(call, table, row))
    }

    fn update<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        update: Update,
    ) -> Io<'a, bool> {
        self.around(move || self.world.update(call, table, update))
    }

    fn get<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        key: Vec<Value>,
    ) -> Io<'a, Option<Value>> {
        self.around(move || Tables::get(self.world, call, table, key))
    }
}

impl Mailer for FaultyWorld<'_> {
    fn send<'a>(&'a self, call: &'a Call, mail: Mail) -> Io<'a, ()> {
        let Some(sent) = &self.sent else {
            return self.around(move || self.world.send(call, mail));
        };
        Box::pin(async move {
            self.works()?;
            *sent.lock().unwrap().entry(Arc::clone(&call.key)).or_default() += 1;
            self.works().map_err(|_| StepError::unknown("injected loss of the reply"))
        })
    }
}

impl Clock for FaultyWorld<'_> {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn sleep(&self, duration: Duration) -> Io<'_, ()> {
        self.world.sleep(duration)
    }
}

impl Random for FaultyWorld<'_> {
    fn next(&self) -> u64 {
        self.world.next()
    }
}

impl Services for FaultyWorld<'_> {
    fn call<'a>(&'a self, call: &'a Call, request: ServiceRequest) -> PendingAnswer<'a> {
        let lost = |_| CallError { kind: CallErrorKind::Lost, message: "injected".to_owned() };
        Box::pin(async move {
            self.works().map_err(lost)?;
            let answer = Services::call(self.world, call, request).await?;
            self.works().map_err(lost)?;
            Ok(answer)
        })
    }
}

impl World for FaultyWorld<'_> {
    fn services(&self) -> &dyn Services {
        self
    }

    fn external_ports(&self) -> ExternalPorts {
        ExternalPorts { mail: self.sent.is_some(), services: false, custom: false }
    }
}

//! A world that records the calls of one step through the ports.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use oms_engine::effects::memory::MemoryWorld;
use oms_engine::effects::{
    Call, Clock, InsertResult, Io, Mailer, Message, ObjectStore, PendingAnswer, Put, Random,
    ServiceRequest, Services, Tables, Topic, Update, World,
};
use oms_engine::mail::Mail;
use oms_engine::step::{Port, Verb};
use oms_engine::table::TableDef;
use oms_engine::value::Value;

/// A call through a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PortCall {
    pub(super) port: Port,
    pub(super) verb: Verb,
    /// The bucket, topic or table.
    pub(super) resource: Option<Arc<str>>,
}

/// A memory world that records the calls of a step.
pub(super) struct RecordingWorld<'w> {
    world: &'w MemoryWorld,
    step: &'static str,
    calls: Mutex<BTreeSet<PortCall>>,
}

impl<'w> RecordingWorld<'w> {
    pub(super) fn new(world: &'w MemoryWorld, step: &'static str) -> Self {
        Self { world, step, calls: Mutex::default() }
    }

    pub(super) fn calls(&self) -> BTreeSet<PortCall> {
        self.calls.lock().unwrap().clone()
    }

    fn record(&self, call: &Call, port: Port, verb: Verb, resource: Option<&str>) {
        if *call.step == *self.step {
            let resource = resource.map(Arc::from);
            self.calls.lock().unwrap().insert(PortCall { port, verb, resource });
        }
    }
}

impl ObjectStore for RecordingWorld<'_> {
    fn put<'a>(&'a self, call: &'a Call, object: Put) -> Io<'a, ()> {
        self.record(call, Port::Objects, Verb::Put, Some(&object.bucket));
        self.world.put(call, object)
    }

    fn get<'a>(
        &'a self,
        call: &'a Call,
        bucket: &'a str,
        key: &'a str,
    ) -> Io<'a, Option<Arc<[u8]>>> {
        self.record(call, Port::Objects, Verb::Get, Some(bucket));
        ObjectStore::get(self.world, call, bucket, key)
    }
}

impl Topic for RecordingWorld<'_> {
    fn publish<'a>(&'a self, call: &'a Call, message: Message) -> Io<'a, ()> {
        self.record(call, Port::Topics, Verb::Publish, Some(&message.topic));
        self.world.publish(call, message)
    }
}

impl Tables for RecordingWorld<'_> {
    fn insert<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        row: Value,
    ) -> Io<'a, InsertResult> {
        self.record(call, Port::Tables, Verb::Insert, Some(&table.name));
        self.world.insert(call, table, row)
    }

    fn upsert<'a>(&'a self, call: &'a Call, table: &'a Arc<TableDef>, row: Value) -> Io<'a, ()> {
        self.record(call, Port::Tables, Verb::Upsert, Some(&table.name));
        self.world.upsert(call, table, row)
    }

    fn update<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        update: Update,
    ) -> Io<'a, bool> {
        self.record(call, Port::Tables, Verb::Update, Some(&table.name));
        self.world.update(call, table, update)
    }

    fn get<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        key: Vec<Value>,
    ) -> Io<'a, Option<Value>> {
        self.record(call, Port::Tables, Verb::Get, Some(&table.name));
        Tables::get(self.world, call, table, key)
    }
}

impl Mailer for RecordingWorld<'_> {
    fn send<'a>(&'a self, call: &'a Call, mail: Mail) -> Io<'a, ()> {
        self.record(call, Port::Mail, Verb::Send, None);
        self.world.send(call, mail)
    }
}

impl Clock for RecordingWorld<'_> {
    fn now(&self) -> Timestamp {
        self.world.now()
    }

    fn sleep(&self, duration: Duration) -> Io<'_, ()> {
        self.world.sleep(duration)
    }
}

impl Random for RecordingWorld<'_> {
    fn next(&self) -> u64 {
        self.world.next()
    }
}

impl Services for RecordingWorld<'_> {
    fn call<'a>(&'a self, call: &'a Call, request: ServiceRequest) -> PendingAnswer<'a> {
        self.record(call, Port::Services, Verb::Call, Some(&request.service));
        Services::call(self.world, call, request)
    }
}

impl World for RecordingWorld<'_> {
    fn services(&self) -> &dyn Services {
        self
    }
}

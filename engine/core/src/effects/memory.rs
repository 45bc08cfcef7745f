//! An in-memory world: small working implementations of every port, for tests and for trying out
//! kinds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;

use super::clock::{Clock, Random};
use super::error::StepError;
use super::ports::{
    Call, InsertResult, Io, Mailer, Message, ObjectStore, Put, Tables, Topic, Update, World,
};
use super::services::{Answer, Method, PendingAnswer, ServiceRequest, Services};
use crate::mail::Mail;
use crate::table::TableDef;
use crate::value::{Value, write_json};

/// Bucket and key.
type ObjectKey = (Arc<str>, Arc<str>);
/// Table and key, as JSON.
type RowKey = (Arc<str>, String);

/// The contents of the world.
#[derive(Clone, Debug, Default)]
pub struct Contents {
    /// Objects by bucket and key, with the run that stored each.
    pub objects: BTreeMap<ObjectKey, (Arc<[u8]>, Arc<str>)>,
    /// Rows by table and key (as JSON), with the run that wrote each.
    pub rows: BTreeMap<RowKey, (Value, Arc<str>)>,
    /// Whether each update changed its row, by idempotency key.
    pub updates: BTreeMap<Arc<str>, bool>,
    /// E-mails by idempotency key.
    pub mails: BTreeMap<Arc<str>, Mail>,
    /// Announcements in order: topic and order key.
    pub published: Vec<(Arc<str>, Arc<str>)>,
    /// Requests to services by idempotency key: service, method and target.
    pub requests: BTreeMap<Arc<str>, (Arc<str>, Method, String)>,
}

/// An in-memory world. Its writes take effect immediately, so
/// [`Effects::finish_attempt`](super::Effects::finish_attempt) has nothing to do.
#[derive(Default)]
pub struct MemoryWorld {
    contents: Mutex<Contents>,
    millis: AtomicI64,
    random: AtomicU64,
}

impl MemoryWorld {
    /// Creates an empty world at 1970-01-01.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time of day.
    pub fn set_time(&self, now: Timestamp) {
        self.millis.store(now.as_millisecond(), Ordering::Relaxed);
    }

    /// Returns a copy of the contents.
    pub fn contents(&self) -> Contents {
        self.lock().clone()
    }

    /// Adds a row that belongs to no run, such as a seed.
    pub fn add_row(&self, table: &TableDef, row: Value) {
        let key = row_key(table, &row);
        self.lock().rows.insert(key, (row, Arc::from("")));
    }

    fn lock(&self) -> MutexGuard<'_, Contents> {
        self.contents.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn row_key(table: &TableDef, row: &Value) -> RowKey {
    let record = row.as_record();
    let key: Vec<String> = table
        .key_columns()
        .map(|column| {
            let value = record.and_then(|record| record.get(&column.name));
            value.map(write_json).unwrap_or_default()
        })
        .collect();
    (Arc::clone(&table.name), key.join(","))
}

fn done<'a, T: Send + 'a>(result: Result<T, StepError>) -> Io<'a, T> {
    Box::pin(std::future::ready(result))
}

impl ObjectStore for MemoryWorld {
    fn put<'a>(&'a self, call: &'a Call, object: Put) -> Io<'a, ()> {
        let mut contents = self.lock();
        let key = (Arc::clone(&object.bucket), Arc::clone(&object.key));
        let result = match contents.objects.get(&key) {
            Some((body, _)) if *body == object.body => Ok(()),
            Some((_, run)) if *run != call.run.id => {
                Err(StepError::object_of_another_run(&object.bucket))
            }
            _ => {
                contents.objects.insert(key, (object.body, Arc::clone(&call.run.id)));
                Ok(())
            }
        };
        done(result)
    }

    fn get<'a>(&'a self, _: &'a Call, bucket: &'a str, key: &'a str) -> Io<'a, Option<Arc<[u8]>>> {
        let contents = self.lock();
        let found = contents.objects.get(&(Arc::from(bucket), Arc::from(key)));
        done(Ok(found.map(|(body, _)| Arc::clone(body))))
    }
}

impl Topic for MemoryWorld {
    fn publish<'a>(&'a self, call: &'a Call, message: Message) -> Io<'a, ()> {
        self.lock().published.push((message.topic, Arc::clone(&call.run.key)));
        done(Ok(()))
    }
}

impl Tables for MemoryWorld {
    fn insert<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        row: Value,
    ) -> Io<'a, InsertResult> {
        let mut contents = self.lock();
        let key = row_key(table, &row);
        let result = match contents.rows.get(&key) {
            Some((there, run)) if *run == call.run.id && *there == row => {
                Ok(InsertResult::Repeated)
            }
            Some((_, run)) if *run == call.run.id => {
                Err(StepError::other_row_of_this_run(&table.name))
            }
            Some(_) => Err(StepError::row_of_another_run(&table.name)),
            None => {
                contents.rows.insert(key, (row, Arc::clone(&call.run.id)));
                Ok(InsertResult::New)
            }
        };
        done(result)
    }

    fn upsert<'a>(&'a self, call: &'a Call, table: &'a Arc<TableDef>, row: Value) -> Io<'a, ()> {
        let key = row_key(table, &row);
        self.lock().rows.insert(key, (row, Arc::clone(&call.run.id)));
        done(Ok(()))
    }

    fn update<'a>(
        &'a self,
        call: &'a Call,
        table: &'a Arc<TableDef>,
        Update { key, change, .. }: Update,
    ) -> Io<'a, bool> {
        let mut contents = self.lock();
        if let Some(changed) = contents.updates.get(&call.key) {
            return done(Ok(*changed));
        }
        let key: Vec<String> = key.iter().map(write_json).collect();
        let mut found = contents.rows.get_mut(&(Arc::clone(&table.name), key.join(",")));
        let new = match change(found.as_deref().map(|(row, _)| row)) {
            Ok(new) => new,
            Err(error) => return done(Err(error)),
        };
        let changed = new.is_some();
        // The row still belongs to the run that added it.
        if let (Some(new), Some((row, _))) = (new, &mut found) {
            *row = new;
        }
        contents.updates.insert(Arc::clone(&call.key), changed);
        done(Ok(changed))
    }

    fn get<'a>(
        &'a self,
        _: &'a Call,
        table: &'a Arc<TableDef>,
        key: Vec<Value>,
    ) -> Io<'a, Option<Value>> {
        let key: Vec<String> = key.iter().map(write_json).collect();
        let found = self.lock().rows.get(&(Arc::clone(&table.name), key.join(","))).cloned();
        done(Ok(found.map(|(row, _)| row)))
    }
}

impl Mailer for MemoryWorld {
    fn send<'a>(&'a self, call: &'a Call, mail: Mail) -> Io<'a, ()> {
        self.lock().mails.entry(Arc::clone(&call.key)).or_insert(mail);
        done(Ok(()))
    }
}

impl Clock for MemoryWorld {
    fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.millis.load(Ordering::Relaxed))
            .unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// Advances the clock without waiting.
    fn sleep(&self, duration: Duration) -> Io<'_, ()> {
        let millis = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        self.millis.fetch_add(millis, Ordering::Relaxed);
        done(Ok(()))
    }
}

impl Random for MemoryWorld {
    /// The SplitMix64 sequence (Steele, Lea and Flood, OOPSLA 2014), the same in every world.
    fn next(&self) -> u64 {
        let mut z = self.random.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}

/// Every service answers 200 with the body of the request, or with an empty object.
impl Services for MemoryWorld {
    fn call<'a>(&'a self, call: &'a Call, request: ServiceRequest) -> PendingAnswer<'a> {
        let ServiceRequest { service, method, target, body, .. } = request;
        let key = Arc::clone(&call.request_key);
        self.lock().requests.entry(key).or_insert((service, method, target));
        let body = body.map_or_else(|| Arc::from(*b"{}"), |(_, bytes)| bytes);
        let answer = Answer { status: 200, body, retry_after: None };
        Box::pin(std::future::ready(Ok(answer)))
    }
}

impl World for MemoryWorld {
    fn services(&self) -> &dyn Services {
        self
    }
}

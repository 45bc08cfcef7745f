//! The identity of rows and objects, for detecting conflicts between concurrent runs.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use foldhash::HashMap;
use oms_core::table::TableDef;
use oms_core::value::Value;
use rusqlite::types::{ToSqlOutput, ValueRef};

use crate::tables::column::bind;
use crate::writer::packet::Write;

/// A hash that identifies a row or an object. Items with the same hash are considered equal, so a
/// collision can cause an unnecessary repetition of a stretch, but never a stale read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Item(u64);

/// The number of a commit. The data that a reader sees after it has loaded the number of the last
/// commit is at least as new as that commit.
pub type CommitNumber = u64;

impl Item {
    /// Identifies the row of a table with a key.
    pub fn row<'v>(table: &TableDef, key: impl Iterator<Item = &'v Value>) -> Self {
        let mut hasher = DefaultHasher::new();
        (0_u8, &table.name).hash(&mut hasher);
        for value in key {
            // Hashes the bound value, because the database compares bound values.
            match bind(value) {
                ToSqlOutput::Borrowed(ValueRef::Text(text)) => text.hash(&mut hasher),
                ToSqlOutput::Owned(rusqlite::types::Value::Text(text)) => {
                    text.as_bytes().hash(&mut hasher);
                }
                ToSqlOutput::Owned(rusqlite::types::Value::Integer(value)) => {
                    value.hash(&mut hasher);
                }
                _ => {}
            }
        }
        Self(hasher.finish())
    }

    /// Identifies an object.
    pub fn object(bucket: &str, key: &str) -> Self {
        let mut hasher = DefaultHasher::new();
        (1_u8, bucket, key).hash(&mut hasher);
        Self(hasher.finish())
    }

    /// Returns the row or object that a write changes, or `None` for an e-mail, which no step
    /// reads.
    pub fn written(write: &Write) -> Option<Self> {
        match write {
            Write::Object { bucket, key, .. } => Some(Self::object(bucket, key)),
            Write::Insert { table, row }
            | Write::Upsert { table, row }
            | Write::Update { table, row, .. } => Some(Self::row(table, table.key_of(row))),
            Write::Mail { .. } => None,
        }
    }
}

/// The reads of a stretch, each with the number of the last commit before its first read.
pub type Reads = HashMap<Item, CommitNumber>;

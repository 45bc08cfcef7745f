//! The row or the object that an attempt writes.

use std::sync::Arc;

use oms_core::table::TableDef;
use oms_core::value::{Value, write_json};

use super::effect::Port;

/// A row or an object that a step writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WrittenItem {
    port: Port,
    resource: Arc<str>,
    key: String,
}

impl WrittenItem {
    /// Returns the item for a row of a table. The values of its key must have the form of their
    /// columns.
    pub fn row(table: &TableDef, row: &Value) -> Self {
        let record = row.as_record();
        let value = |name: &str| record.and_then(|record| record.get(name)).map(write_json);
        let key: Vec<String> =
            table.key_columns().map(|column| value(&column.name).unwrap_or_default()).collect();
        Self { port: Port::Tables, resource: Arc::clone(&table.name), key: key.join(",") }
    }

    /// Returns the item for an object in a bucket.
    pub fn object(bucket: &Arc<str>, key: &str) -> Self {
        Self { port: Port::Objects, resource: Arc::clone(bucket), key: key.to_owned() }
    }

    /// Describes the item without its key, which may be personal data.
    pub fn describe(&self) -> String {
        match self.port {
            Port::Tables => format!("row of `{}`", self.resource),
            _ => format!("object in `{}`", self.resource),
        }
    }
}

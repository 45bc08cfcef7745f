//! What stands in a column whose personal data was erased.

use jiff::Timestamp;
use jiff::civil::date;

use super::column::{Column, ColumnShape};
use crate::money::Decimal;
use crate::value::{Digest, Value};

impl Column {
    /// Returns what says nothing: null, or what says the least and is still of the column's type.
    pub fn erased(&self) -> Value {
        match self.shape {
            _ if self.nullable => Value::Null,
            ColumnShape::Integer => Value::Int(0),
            ColumnShape::Boolean => Value::Bool(false),
            ColumnShape::Decimal { .. } => Value::Decimal(Decimal::ZERO),
            ColumnShape::Date => Value::Date(date(1970, 1, 1)),
            ColumnShape::Timestamp => Value::Timestamp(Timestamp::UNIX_EPOCH),
            ColumnShape::Text(_) | ColumnShape::Currency | ColumnShape::Email => Value::text(""),
        }
    }

    /// Returns what stands for a key, which cannot be erased: as much of its digest as has room.
    pub fn erased_key(&self, key: &str) -> String {
        let mut digest = Digest::of(key.as_bytes()).short();
        if let ColumnShape::Text(Some(length)) = self.shape {
            digest.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        }
        digest
    }
}

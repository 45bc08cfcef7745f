//! The values that replace erased personal data in a column.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::date;

use super::column::{Column, ColumnShape};
use crate::money::Decimal;
use crate::value::{Digest, Value};

/// Numbers of rows by the names of their tables.
pub type RowCounts = BTreeMap<String, u64>;

/// Whether rows are erased or only counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EraseMode {
    /// Rows are only counted.
    Count,
    /// Rows are erased.
    Erase,
}

impl Column {
    /// Returns a value without information: null, or an empty value of the column's type.
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

    /// Number of candidates for the key of an erased row. Several are needed because another row
    /// may already have the first ones.
    pub const ERASED_KEYS: u32 = 100;

    /// Returns the value that replaces a key, which cannot be empty: its digest, cut to the size of
    /// the column. Returns `None` if the type of the column cannot store a digest. `attempt`
    /// selects another digest if the previous one is already in use.
    pub fn erased_key(&self, key: &str, attempt: u32) -> Option<Value> {
        let digest = match attempt {
            0 => Digest::of(key.as_bytes()),
            attempt => Digest::of_parts([key.as_bytes(), attempt.to_be_bytes().as_slice()]),
        };
        match self.shape {
            ColumnShape::Integer => {
                let (first, _) = digest.bytes().split_first_chunk()?;
                // Ids are positive.
                Some(Value::Int(i64::from_be_bytes(*first) & i64::MAX))
            }
            ColumnShape::Text(chars) => {
                let mut text = digest.short();
                text.truncate(
                    chars.map_or(usize::MAX, |chars| usize::try_from(chars).unwrap_or(usize::MAX)),
                );
                Some(Value::text(&text))
            }
            ColumnShape::Email => Some(Value::text(&digest.short())),
            ColumnShape::Currency
            | ColumnShape::Boolean
            | ColumnShape::Decimal { .. }
            | ColumnShape::Date
            | ColumnShape::Timestamp => None,
        }
    }
}

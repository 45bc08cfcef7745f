//! Conversion between values and columns of SQLite. Decimals, dates and timestamps are stored as
//! text, so that every tool shows them exactly.

use std::sync::Arc;

use oms_core::money::Decimal;
use oms_core::table::{ColumnShape, TableDef};
use oms_core::value::{DateFormat, Record, Value, parse_date, parse_timestamp};
use rusqlite::Row;
use rusqlite::types::{ToSqlOutput, ValueRef};

/// Returns the SQL value to bind for a value.
pub(crate) fn bind(value: &Value) -> ToSqlOutput<'_> {
    match value {
        Value::Missing | Value::Null => ToSqlOutput::Owned(rusqlite::types::Value::Null),
        Value::Bool(value) => {
            ToSqlOutput::Owned(rusqlite::types::Value::Integer(i64::from(*value)))
        }
        Value::Int(value) => ToSqlOutput::Owned(rusqlite::types::Value::Integer(*value)),
        Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        other => ToSqlOutput::Owned(rusqlite::types::Value::Text(other.display())),
    }
}

/// Reads a column, or returns `None` if the content does not match the declaration.
pub(crate) fn read(shape: ColumnShape, value: ValueRef<'_>) -> Option<Value> {
    let text = || value.as_str().ok();
    Some(match (shape, value) {
        (_, ValueRef::Null) => Value::Null,
        (ColumnShape::Boolean, ValueRef::Integer(value)) => Value::Bool(value != 0),
        (ColumnShape::Integer, ValueRef::Integer(value)) => Value::Int(value),
        (ColumnShape::Decimal { .. }, _) => Value::Decimal(Decimal::parse(text()?).ok()?),
        (ColumnShape::Date, _) => Value::Date(parse_date(text()?, DateFormat::Iso)?),
        (ColumnShape::Timestamp, _) => Value::Timestamp(parse_timestamp(text()?)?),
        (ColumnShape::Text(_) | ColumnShape::Currency | ColumnShape::Email, _) => {
            Value::text(text()?)
        }
        _ => return None,
    })
}

/// Reads a row whose columns were selected in the order of the table's declaration.
pub(crate) fn read_row(table: &TableDef, row: &Row<'_>) -> rusqlite::Result<Value> {
    let mut fields = vec![Value::Null; table.columns.len()];
    for (index, column) in table.columns.iter().enumerate() {
        let raw = row.get_ref(index)?;
        let value = read(column.shape, raw).ok_or_else(|| {
            rusqlite::Error::InvalidColumnType(index, column.name.to_string(), raw.data_type())
        })?;
        if let Some(slot) =
            table.row.position(&column.name).and_then(|position| fields.get_mut(position))
        {
            *slot = value;
        }
    }
    Ok(Value::Record(Arc::new(Record::new(Arc::clone(&table.row), fields))))
}

/// Returns the type of a column in a STRICT table.
pub(crate) const fn sql_type(shape: ColumnShape) -> &'static str {
    match shape {
        ColumnShape::Integer | ColumnShape::Boolean => "integer",
        _ => "text",
    }
}

//! Reads and writes rows of declared tables.

use std::sync::Arc;

use jiff::Timestamp;
use oms_core::effects::{StepError, cause};
use oms_core::money::Decimal;
use oms_core::table::{Column, ColumnShape, TableDef};
use oms_core::value::{DateFormat, Record, Value, parse_date};

use crate::statement::Statement;

/// The column with the run that wrote the row. It is null for an imported row.
pub(crate) const RUN: &str = "oms_run";
/// The column with the digest of the order that the row was written for.
pub(crate) const ORDER: &str = "oms_order";

/// Adds the values of a row, in the order of the table's columns.
pub(crate) fn values(mut statement: Statement, table: &TableDef, row: &Value) -> Statement {
    for (at, column) in table.columns.iter().enumerate() {
        statement = statement.sql(if at == 0 { "" } else { ", " });
        statement = statement.value(column.shape, field(row, column));
    }
    statement
}

/// Adds the columns of a table, cast to text.
pub(crate) fn columns_as_text(mut statement: Statement, table: &TableDef) -> Statement {
    for (at, column) in table.columns.iter().enumerate() {
        statement = statement.sql(if at == 0 { "cast(" } else { ", cast(" }).name(&column.name);
        let zone = column.shape == ColumnShape::Timestamp;
        statement = statement.sql(if zone { " at time zone 'UTC' as text)" } else { " as text)" });
    }
    statement
}

/// Adds the assignments that replace a row.
pub(crate) fn replaced(mut statement: Statement, table: &TableDef) -> Statement {
    let in_key = |at: usize| table.key.contains(&at);
    for (_, column) in table.columns.iter().enumerate().filter(|(at, _)| !in_key(*at)) {
        let name = &column.name;
        statement = statement.name(name).sql(" = excluded.").name(name).sql(", ");
    }
    statement
        .name(RUN)
        .sql(" = excluded.")
        .name(RUN)
        .sql(", ")
        .name(ORDER)
        .sql(" = excluded.")
        .name(ORDER)
}

pub(crate) fn field<'r>(row: &'r Value, column: &Column) -> &'r Value {
    row.as_record().and_then(|record| record.get(&column.name)).unwrap_or(&Value::Null)
}

/// Reads a row whose columns were selected with [`columns_as_text`].
pub(crate) fn read(table: &TableDef, row: &[Option<String>]) -> Result<Value, StepError> {
    let mut fields = vec![Value::Null; table.columns.len()];
    for (column, text) in table.columns.iter().zip(row) {
        let value = match text {
            None => Some(Value::Null),
            Some(text) => parse(column.shape, text),
        };
        let value = value.ok_or_else(|| {
            let message = format!(
                "column `{}` of `{}` is not a valid {}",
                column.name, table.name, column.shape
            );
            StepError::transient(cause::ENVIRONMENT, message)
        })?;
        let slot = table.row.position(&column.name).and_then(|at| fields.get_mut(at));
        if let Some(slot) = slot {
            *slot = value;
        }
    }
    Ok(Value::Record(Arc::new(Record::new(Arc::clone(&table.row), fields))))
}

fn parse(shape: ColumnShape, text: &str) -> Option<Value> {
    Some(match shape {
        ColumnShape::Boolean => Value::Bool(text == "true"),
        ColumnShape::Integer => Value::Int(text.parse().ok()?),
        ColumnShape::Decimal { .. } => Value::Decimal(Decimal::parse(text).ok()?),
        ColumnShape::Date => Value::Date(parse_date(text, DateFormat::Iso)?),
        ColumnShape::Timestamp => {
            let at: jiff::civil::DateTime = text.parse().ok()?;
            Value::Timestamp(Timestamp::from(at.to_zoned(jiff::tz::TimeZone::UTC).ok()?))
        }
        ColumnShape::Text(_) | ColumnShape::Currency | ColumnShape::Email => Value::text(text),
    })
}

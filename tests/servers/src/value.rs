//! Converts values of the Data API to and from PostgreSQL. A text without a hint has the type
//! `varchar`, so that a missing hint fails as on Aurora.

use std::error::Error;

use bytes::BytesMut;
use serde_json::{Value as Json, json};
use tokio_postgres::Row;
use tokio_postgres::types::{Format, IsNull, ToSql, Type, to_sql_checked};

/// A value of any type, in the server's text format.
#[derive(Debug)]
pub(crate) struct Text(pub(crate) Option<String>);

impl ToSql for Text {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        match &self.0 {
            Some(text) => {
                out.extend_from_slice(text.as_bytes());
                Ok(IsNull::No)
            }
            None => Ok(IsNull::Yes),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

/// Reads a parameter, and returns its type and its value.
///
/// # Errors
/// Returns the exception of the Data API and its message.
pub(crate) fn parameter(given: &Json) -> Result<(Type, Text), (&'static str, String)> {
    let value = given.get("value").and_then(Json::as_object);
    let hint = given.get("typeHint").and_then(Json::as_str);
    let bad = |message: &str| ("BadRequestException", message.to_owned());
    let Some((kind, value)) = value.and_then(|value| value.iter().next()) else {
        return Err(bad("Invalid parameter value"));
    };
    let of_hint = match hint {
        None => Type::VARCHAR,
        Some("DECIMAL") => Type::NUMERIC,
        Some("DATE") => Type::DATE,
        Some("TIME") => Type::TIME,
        Some("TIMESTAMP") => Type::TIMESTAMP,
        Some("UUID") => Type::UUID,
        Some("JSON") => Type::JSONB,
        Some(other) => return Err(("ValidationException", format!("typeHint {other}"))),
    };
    Ok(match (kind.as_str(), value) {
        ("isNull", Json::Bool(true)) => {
            (if hint.is_some() { of_hint } else { Type::UNKNOWN }, Text(None))
        }
        ("stringValue", Json::String(text)) => (of_hint, Text(Some(text.clone()))),
        ("longValue", Json::Number(number)) => (Type::INT8, Text(Some(number.to_string()))),
        ("doubleValue", Json::Number(number)) => (Type::FLOAT8, Text(Some(number.to_string()))),
        ("booleanValue", Json::Bool(value)) => (Type::BOOL, Text(Some(value.to_string()))),
        _ => return Err(bad("Array parameters are not supported")),
    })
}

/// Converts a column to JSON.
///
/// # Errors
/// Returns an error if the Data API does not support its type.
pub(crate) fn field(row: &Row, at: usize) -> Result<Json, String> {
    let Some(column) = row.columns().get(at) else { return Err("no such column".to_owned()) };
    let unread = |error: tokio_postgres::Error| error.to_string();
    fn optional<T>(value: Option<T>, write: impl FnOnce(T) -> Json) -> Json {
        value.map_or_else(|| json!({ "isNull": true }), write)
    }
    let text = |text: String| json!({ "stringValue": text });
    Ok(match *column.type_() {
        Type::BOOL => optional(
            row.try_get(at).map_err(unread)?,
            |value: bool| json!({ "booleanValue": value }),
        ),
        Type::INT2 => {
            optional(row.try_get(at).map_err(unread)?, |value: i16| json!({ "longValue": value }))
        }
        Type::INT4 => {
            optional(row.try_get(at).map_err(unread)?, |value: i32| json!({ "longValue": value }))
        }
        Type::INT8 => {
            optional(row.try_get(at).map_err(unread)?, |value: i64| json!({ "longValue": value }))
        }
        Type::TEXT | Type::VARCHAR | Type::NAME | Type::BPCHAR => {
            optional(row.try_get(at).map_err(unread)?, text)
        }
        Type::NUMERIC => {
            optional(row.try_get(at).map_err(unread)?, |value: rust_decimal::Decimal| {
                text(value.to_string())
            })
        }
        Type::DATE => optional(row.try_get(at).map_err(unread)?, |value: jiff::civil::Date| {
            text(value.to_string())
        }),
        Type::TIMESTAMP => {
            optional(row.try_get(at).map_err(unread)?, |value: jiff::civil::DateTime| {
                text(value.strftime("%Y-%m-%d %H:%M:%S%.f").to_string())
            })
        }
        Type::TIMESTAMPTZ => {
            optional(row.try_get(at).map_err(unread)?, |value: jiff::Timestamp| {
                text(value.strftime("%Y-%m-%d %H:%M:%S%.f").to_string())
            })
        }
        Type::VOID => json!({ "isNull": true }),
        _ => {
            return Err(format!(
                "The result contains the unsupported data type {}",
                column.type_()
            ));
        }
    })
}

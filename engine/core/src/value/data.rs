//! [`Value`], a value at run time, and its records.

use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;

use super::types::RecordType;
use crate::money::Decimal;

/// A value at run time. Clones are cheap, because texts, lists and records are shared.
#[derive(Clone, Debug, Default)]
pub enum Value {
    /// A field that was not sent. It equals null in expressions and is omitted from output.
    #[default]
    Missing,
    /// Null.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// An exact decimal with its scale as written.
    Decimal(Decimal),
    /// Text, and every value that is written as text: codes, addresses, links.
    Text(Arc<str>),
    /// A calendar date.
    Date(Date),
    /// A timestamp.
    Timestamp(Timestamp),
    /// Elements in order.
    List(Arc<[Self]>),
    /// Named fields.
    Record(Arc<Record>),
    /// JSON that is only passed on.
    Json(Arc<serde_json::Value>),
}

/// The fields of a record value in the layout of its type.
#[derive(Clone, Debug)]
pub struct Record {
    ty: Arc<RecordType>,
    fields: Box<[Value]>,
}

impl Record {
    /// Creates a record. Surplus fields are dropped, and missing ones are set to
    /// [`Value::Missing`].
    pub fn new(ty: Arc<RecordType>, mut fields: Vec<Value>) -> Self {
        fields.resize(ty.fields().len(), Value::Missing);
        Self { ty, fields: fields.into_boxed_slice() }
    }

    /// Returns the layout.
    pub const fn ty(&self) -> &Arc<RecordType> {
        &self.ty
    }

    /// Returns a field by its position.
    pub fn at(&self, position: usize) -> &Value {
        self.fields.get(position).unwrap_or(&Value::Missing)
    }

    /// Returns a field by its name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(self.ty.position(name)?)
    }

    /// Returns names and values in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Value)> {
        self.ty.fields().iter().map(|field| &field.name).zip(self.fields.iter())
    }
}

impl Value {
    /// Creates a text value.
    pub fn text(text: &str) -> Self {
        Self::Text(Arc::from(text))
    }

    /// Returns whether the value is null or missing.
    pub const fn is_null(&self) -> bool {
        matches!(self, Self::Missing | Self::Null)
    }

    /// Returns the text if it is one.
    pub fn as_text(&self) -> Option<&Arc<str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the record if it is one.
    pub fn as_record(&self) -> Option<&Record> {
        match self {
            Self::Record(record) => Some(record),
            _ => None,
        }
    }

    /// Returns the elements if it is a list.
    pub fn as_list(&self) -> Option<&Arc<[Self]>> {
        match self {
            Self::List(elements) => Some(elements),
            _ => None,
        }
    }

    /// Returns the value as inserted into a text: decimals as written, timestamps in RFC 3339 UTC
    /// with milliseconds, and an empty text for null.
    pub fn display(&self) -> String {
        match self {
            Self::Missing | Self::Null => String::new(),
            Self::Bool(value) => value.to_string(),
            Self::Int(value) => value.to_string(),
            Self::Decimal(value) => value.to_string(),
            Self::Text(value) => value.to_string(),
            Self::Date(value) => value.to_string(),
            Self::Timestamp(value) => format_timestamp(*value),
            Self::List(_) | Self::Record(_) | Self::Json(_) => super::write_json(self),
        }
    }
}

/// Formats a timestamp as RFC 3339 in UTC with milliseconds, the only format in tables, e-mails,
/// journals and JSON.
pub fn format_timestamp(timestamp: Timestamp) -> String {
    format!("{timestamp:.3}")
}

impl PartialEq for Value {
    /// Compares typed values: decimals and integers by their numerical value. Null equals missing.
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Missing | Self::Null, Self::Missing | Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::Int(a), Self::Int(b)) => a == b,
            (Self::Decimal(a), Self::Decimal(b)) => a == b,
            (Self::Int(a), Self::Decimal(b)) | (Self::Decimal(b), Self::Int(a)) => {
                Decimal::from_int(*a) == *b
            }
            (Self::Text(a), Self::Text(b)) => a == b,
            (Self::Date(a), Self::Date(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::List(a), Self::List(b)) => a == b,
            (Self::Record(a), Self::Record(b)) => a.iter().eq(b.iter()),
            (Self::Json(a), Self::Json(b)) => a == b,
            _ => false,
        }
    }
}

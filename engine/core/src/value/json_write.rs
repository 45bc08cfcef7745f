//! Writes values as JSON. Decimals are strings, so no reader turns them into floats.

use serde::{Serialize, Serializer};

use super::data::{Value, format_timestamp};

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap as _;
        match self {
            Self::Missing | Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Int(value) => serializer.serialize_i64(*value),
            Self::Decimal(value) => serializer.collect_str(value),
            Self::Text(value) => serializer.serialize_str(value),
            Self::Date(value) => serializer.collect_str(value),
            Self::Timestamp(value) => serializer.serialize_str(&format_timestamp(*value)),
            Self::List(elements) => serializer.collect_seq(elements.iter()),
            Self::Record(record) => {
                let mut map = serializer.serialize_map(None)?;
                for (name, value) in record.iter() {
                    if !matches!(value, Self::Missing) {
                        map.serialize_entry(name.as_ref(), value)?;
                    }
                }
                map.end()
            }
            Self::Json(value) => value.serialize(serializer),
        }
    }
}

/// Returns a value as compact JSON.
pub fn write_json(value: &Value) -> String {
    // Values have only string keys and always serialize.
    serde_json::to_string(value).unwrap_or_default()
}

/// Returns a value as a JSON tree.
pub fn to_json(value: &Value) -> serde_json::Value {
    serde_json::to_value(value).unwrap_or_default()
}

//! Instants in columns and in JSON.

use jiff::Timestamp;
use oms_core::value::format_timestamp;
use serde::Serializer;

/// Returns the instant for a number of milliseconds since 1970, or 1970 if it is out of range.
pub(crate) fn millisecond(at: i64) -> Timestamp {
    Timestamp::from_millisecond(at).unwrap_or(Timestamp::UNIX_EPOCH)
}

/// Serializes an instant in the format of all JSON output.
pub(crate) fn serialize_instant<S: Serializer>(at: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&format_timestamp(*at))
}

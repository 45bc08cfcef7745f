//! Structured logs: one JSON object per line, without personal data.

use std::io::Write as _;

use serde_json::{Map, Value as Json};

/// Writes a log line.
pub(crate) fn log_line(level: &str, message: &str, fields: &[(&str, &str)]) {
    let mut line = Map::new();
    line.insert("level".to_owned(), Json::from(level));
    line.insert("message".to_owned(), Json::from(message));
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        line.insert((*name).to_owned(), Json::from(*value));
    }
    json(&Json::Object(line));
}

/// Writes a JSON object as a log line.
pub(crate) fn json(object: &Json) {
    // If standard output is closed, there is no place to report the error.
    let _unheard = writeln!(std::io::stdout(), "{object}");
}

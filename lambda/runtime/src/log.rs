//! Structured logs: a line of JSON for each thing that happened, with the run's key and no personal data.

use std::io::Write as _;

use serde_json::{Map, Value as Json};

/// Writes a line.
pub(crate) fn line(level: &str, message: &str, fields: &[(&str, &str)]) {
    let mut line = Map::new();
    line.insert("level".to_owned(), Json::from(level));
    line.insert("message".to_owned(), Json::from(message));
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        line.insert((*name).to_owned(), Json::from(*value));
    }
    json(&Json::Object(line));
}

/// Writes an object as a line.
pub(crate) fn json(object: &Json) {
    // Where standard output is closed there is nobody to tell.
    let _unheard = writeln!(std::io::stdout(), "{object}");
}

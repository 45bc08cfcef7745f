//! Structured logs: one JSON object per line, without personal data.

use std::io::Write as _;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

/// A metric in CloudWatch.
pub(crate) struct Metric {
    pub(crate) name: &'static str,
    /// A unit of CloudWatch, such as `Count` or `Milliseconds`.
    pub(crate) unit: &'static str,
    pub(crate) value: i64,
}

/// Writes a log line.
pub(crate) fn log_line(level: &str, message: &str, fields: &[(&str, &str)]) {
    json(&Json::Object(line(level, message, fields)));
}

/// Returns the members of a log line.
pub(crate) fn line(level: &str, message: &str, fields: &[(&str, &str)]) -> Map<String, Json> {
    let mut line = Map::new();
    line.insert("level".to_owned(), Json::from(level));
    line.insert("message".to_owned(), Json::from(message));
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_empty()) {
        line.insert((*name).to_owned(), Json::from(*value));
    }
    line
}

/// Returns the members that turn a log line into metrics of the namespace `oms`. `dimensions` are
/// other members of the line. The format is that of the CloudWatch documentation, "Specification:
/// Embedded metric format".
pub(crate) fn metrics(at: Timestamp, dimensions: &[&str], metrics: &[Metric]) -> Map<String, Json> {
    let declared: Vec<Json> = metrics
        .iter()
        .map(|Metric { name, unit, .. }| json!({ "Name": name, "Unit": unit }))
        .collect();
    let declaration = json!({
        "Timestamp": at.as_millisecond(),
        "CloudWatchMetrics": [{
            "Namespace": "oms",
            "Dimensions": [dimensions],
            "Metrics": declared,
        }],
    });
    let values = metrics.iter().map(|metric| (metric.name.to_owned(), Json::from(metric.value)));
    [("_aws".to_owned(), declaration)].into_iter().chain(values).collect()
}

/// Writes a JSON object as a log line.
pub(crate) fn json(object: &Json) {
    // If standard output is closed, there is no place to report the error.
    let _unheard = writeln!(std::io::stdout(), "{object}");
}

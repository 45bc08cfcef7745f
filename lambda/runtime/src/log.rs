//! Structured logs: one JSON object per line, without personal data.

use std::io::Write as _;
use std::sync::LazyLock;

use jiff::Timestamp;
use serde_json::{Map, Value as Json, json};

use crate::serve::env_var;

/// The name of the stack, which the template sets. Two stacks of one pipeline can exist in an
/// account, so their metrics need different dimensions.
static STACK: LazyLock<Option<String>> = LazyLock::new(|| env_var("OMS_STACK").ok());

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
/// other members of the line. The name of the stack is added as a member and a dimension. The format
/// is that of the CloudWatch documentation, "Specification: Embedded metric format".
pub(crate) fn metrics(at: Timestamp, dimensions: &[&str], metrics: &[Metric]) -> Map<String, Json> {
    metrics_of(STACK.as_deref(), at, dimensions, metrics)
}

fn metrics_of(
    stack: Option<&str>,
    at: Timestamp,
    dimensions: &[&str],
    metrics: &[Metric],
) -> Map<String, Json> {
    let declared: Vec<Json> = metrics
        .iter()
        .map(|Metric { name, unit, .. }| json!({ "Name": name, "Unit": unit }))
        .collect();
    let stack = stack.map(|stack| ("stack", stack));
    let dimensions: Vec<&str> =
        dimensions.iter().copied().chain(stack.map(|(name, _)| name)).collect();
    let declaration = json!({
        "Timestamp": at.as_millisecond(),
        "CloudWatchMetrics": [{
            "Namespace": "oms",
            "Dimensions": [dimensions],
            "Metrics": declared,
        }],
    });
    let values = metrics.iter().map(|metric| (metric.name.to_owned(), Json::from(metric.value)));
    let stack = stack.map(|(name, stack)| (name.to_owned(), Json::from(stack)));
    [("_aws".to_owned(), declaration)].into_iter().chain(values).chain(stack).collect()
}

/// Writes a JSON object as a log line.
pub(crate) fn json(object: &Json) {
    // If standard output is closed, there is no place to report the error.
    let _unheard = writeln!(std::io::stdout(), "{object}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_metrics_of_two_stacks_have_different_dimensions() {
        let metric = || [Metric { name: "Parked", unit: "Count", value: 1 }];
        let of = |stack| {
            let found = metrics_of(stack, Timestamp::UNIX_EPOCH, &["pipeline"], &metric());
            let dimensions = found["_aws"]["CloudWatchMetrics"][0]["Dimensions"][0].clone();
            (dimensions, found.get("stack").cloned())
        };
        assert_eq!(of(Some("shop")), (json!(["pipeline", "stack"]), Some(json!("shop"))));
        assert_eq!(of(None), (json!(["pipeline"]), None));
    }
}

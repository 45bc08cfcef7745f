//! Findings in the Static Analysis Results Interchange Format (SARIF 2.1.0, an OASIS standard),
//! which code scanning services read.

use std::collections::BTreeMap;

use oms_engine::diagnostic::{Code, Diagnostic, Label, Report, Severity};
use serde_json::{Value, json};

use super::place;

/// The schema by which GitHub and editors recognize the format.
const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// Returns the report as one SARIF log with one run.
pub fn sarif(report: &Report) -> String {
    let codes: BTreeMap<u16, Code> =
        report.diagnostics().iter().map(|d| (d.code.number(), d.code)).collect();
    let indices: BTreeMap<u16, usize> = codes.keys().copied().zip(0..).collect();
    let rules: Vec<Value> = codes.values().copied().map(rule).collect();
    let results: Vec<Value> = report
        .diagnostics()
        .iter()
        .map(|diagnostic| {
            result(report, diagnostic, indices.get(&diagnostic.code.number()).copied())
        })
        .collect();
    let driver = json!({
        "name": "oms",
        "semanticVersion": env!("CARGO_PKG_VERSION"),
        "rules": rules,
    });
    let run = json!({
        "tool": { "driver": driver },
        "columnKind": "unicodeCodePoints",
        "results": results,
    });
    let log = json!({ "$schema": SCHEMA, "version": "2.1.0", "runs": [run] });
    format!("{log:#}\n")
}

fn rule(code: Code) -> Value {
    json!({
        "id": code.to_string(),
        "shortDescription": { "text": code.title() },
        "help": { "text": code.page(), "markdown": code.page() },
    })
}

fn result(report: &Report, diagnostic: &Diagnostic, rule_index: Option<usize>) -> Value {
    let message = match &diagnostic.help {
        Some(help) => format!("{}\nhelp: {help}", diagnostic.message),
        None => diagnostic.message.clone(),
    };
    let level = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let primary = diagnostic.primary();
    let locations: Vec<Value> = primary.map(|label| location(report, label)).into_iter().collect();
    let related: Vec<Value> = diagnostic
        .labels
        .iter()
        .filter(|label| !primary.is_some_and(|primary| std::ptr::eq(primary, *label)))
        .zip(1..)
        .map(|(label, id)| {
            let mut location = location(report, label);
            location["id"] = Value::from(id);
            location
        })
        .collect();
    let mut result = json!({
        "ruleId": diagnostic.code.to_string(),
        "level": level,
        "message": { "text": message },
        "locations": locations,
    });
    if let Some(index) = rule_index {
        result["ruleIndex"] = Value::from(index);
    }
    if !related.is_empty() {
        result["relatedLocations"] = Value::from(related);
    }
    result
}

fn location(report: &Report, label: &Label) -> Value {
    let mut physical = json!({ "artifactLocation": { "uri": uri(&label.path) } });
    if let Some(source) = report.source(&label.path) {
        let (start, end) = place::positions(source, &label.span);
        physical["region"] = json!({
            "startLine": start.line,
            "startColumn": start.column,
            "endLine": end.line,
            "endColumn": end.column,
        });
    }
    let mut location = json!({ "physicalLocation": physical });
    if !label.text.is_empty() {
        location["message"] = json!({ "text": label.text });
    }
    location
}

/// Returns a path as a URI reference (RFC 3986): relative for a relative path, with `file:` for an
/// absolute one.
fn uri(path: &str) -> String {
    let mut uri = String::with_capacity(path.len());
    if path.starts_with('/') {
        uri.push_str("file://");
    }
    for byte in path.bytes() {
        match byte {
            // A colon is encoded, because in the first segment it would end a scheme.
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                uri.push(char::from(byte));
            }
            _ => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn paths_become_uris() {
        let cases = [
            ("pipelines/refund.yaml", "pipelines/refund.yaml"),
            ("a b/größe%.yaml", "a%20b/gr%C3%B6%C3%9Fe%25.yaml"),
            ("c:d#e?f", "c%3Ad%23e%3Ff"),
            ("/srv/x.yaml", "file:///srv/x.yaml"),
        ];
        for (path, expected) in cases {
            assert_eq!(uri(path), expected);
        }
    }

    #[test]
    fn a_result_has_its_rule_its_place_and_related_places() {
        let log: Value = serde_json::from_str(&sarif(&samples::report())).unwrap();
        let run = &log["runs"][0];
        let circle = &run["results"][0];
        assert_eq!((&circle["ruleId"], &circle["level"]), (&"OMS0303".into(), &"error".into()));
        let rule = &run["tool"]["driver"]["rules"][circle["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], "OMS0303");
        assert!(rule["help"]["markdown"].as_str().unwrap().starts_with("# OMS0303: "));
        let region = json!({ "startLine": 10, "startColumn": 13, "endLine": 10, "endColumn": 19 });
        assert_eq!(circle["locations"][0]["physicalLocation"]["region"], region);
        assert_eq!(circle["relatedLocations"].as_array().unwrap().len(), 1);
        let other = &run["results"][1]["relatedLocations"][0];
        assert_eq!(other["physicalLocation"]["artifactLocation"]["uri"], "a%20b/order.json");
        // Columns count characters: `größe` has five, and seven bytes.
        let region = json!({ "startLine": 2, "startColumn": 13, "endLine": 2, "endColumn": 18 });
        assert_eq!(other["physicalLocation"]["region"], region);
    }

    #[test]
    fn an_empty_report_is_a_run_without_results() {
        let log: Value = serde_json::from_str(&sarif(&Report::new())).unwrap();
        assert_eq!(log["version"], "2.1.0");
        assert_eq!(log["runs"][0]["results"], json!([]));
    }
}

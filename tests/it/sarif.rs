//! The output of `--format sarif` against the schema of the standard.

use crate::harness::{oms, root};

#[test]
fn every_report_is_valid_sarif() {
    let schema = std::fs::read_to_string(root().join("tests/sarif/sarif-schema-2.1.0.json"));
    // The schema's pattern for languages has an extra bracket, so it is not a valid regular
    // expression.
    let schema = schema.unwrap().replace("{2}]?$", "{2}$");
    let schema: serde_json::Value = serde_json::from_str(&schema).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let log = oms(["validate", "tests/diagnostics", "--format", "sarif"]).exits(1).json();
    let results = log["runs"][0]["results"].as_array().unwrap();
    assert!(results.len() > 200, "found only {} findings", results.len());
    let faults: Vec<String> = validator
        .iter_errors(&log)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert_eq!(faults, Vec::<String>::new());
}

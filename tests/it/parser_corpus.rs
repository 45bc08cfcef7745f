//! Collections of documents that were written to break parsers. Each one quickly gives a result or
//! an error with a position, and never a panic.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use oms_engine::document::parse;
use oms_engine::value::{JsonNode, is_email, read_json};
use rustix::time::{ClockId, clock_gettime};
use serde_json::Value as Json;

use crate::harness::{files, lines, test_data, with_stack};

/// Invalid YAML that the reader accepts, each with the reason.
const ACCEPTED_INVALID: &[(&str, &str)] =
    &[("9C9N", "a list in brackets continues in the first column, which is unambiguous")];

/// JSON that the test suite accepts and the order reader must reject: with a duplicate member, the
/// value would be ambiguous.
const DUPLICATES: &[&str] = &["y_object_duplicated_key", "y_object_duplicated_key_and_value"];

/// Calls `check` and reports the document if it takes more than a second of the thread's CPU time.
/// The load of the machine does not count.
fn within_time_limit<T>(path: &Path, wrong: &mut Vec<String>, check: impl FnOnce() -> T) -> T {
    let begun = computed();
    let result = check();
    let took = computed() - begun;
    if took > 1.0 {
        wrong.push(format!("{}: {took} s", path.display()));
    }
    result
}

/// Returns the CPU time of this thread in seconds.
fn computed() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap().to_string_lossy().into_owned()
}

#[test]
fn json_is_accepted_or_rejected_as_the_test_suite_says() {
    let Some(data) = test_data("the JSON test suite") else { return };
    let mut wrong = Vec::new();
    let paths = files(&data.join("bad-input/json-test-suite"), ".json");
    assert_eq!(paths.len(), 171);
    for path in paths {
        let text = std::fs::read(&path).unwrap();
        let name = stem(&path);
        match within_time_limit(&path, &mut wrong, || read_json(&text, &JsonNode::ANY)) {
            Ok(_) if name.starts_with("n_") || DUPLICATES.contains(&name.as_str()) => {
                wrong.push(format!("{name} was accepted"))
            }
            Ok(_) => {}
            Err(problems) => {
                if name.starts_with("y_") && !DUPLICATES.contains(&name.as_str()) {
                    wrong.push(format!("{name} was rejected: {problems:?}"));
                }
                if problems.is_empty() || problems.iter().any(|problem| problem.offset > text.len())
                {
                    wrong.push(format!("{name}: the position is wrong: {problems:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Reads YAML, checks that an error has a valid position, and returns the error.
fn read_yaml(path: &Path, wrong: &mut Vec<String>) -> Option<String> {
    let bytes = std::fs::read(path).unwrap();
    let shown: Arc<str> = Arc::from(path.to_string_lossy().as_ref());
    match within_time_limit(path, wrong, || parse(&shown, &bytes)) {
        Ok(_) => None,
        Err((text, diagnostic)) => {
            let label = diagnostic.labels.first();
            if label.is_none_or(|label| label.span.end > text.len()) {
                wrong.push(format!("{shown}: no valid position for {diagnostic:?}"));
            }
            Some(format!("{} {}", diagnostic.code, diagnostic.message))
        }
    }
}

#[test]
fn invalid_yaml_is_rejected_with_a_position() {
    with_stack(check_broken_yaml);
}

fn check_broken_yaml() {
    let Some(data) = test_data("the YAML test suite, broken") else { return };
    let mut wrong = Vec::new();
    let paths = files(&data.join("bad-input/yaml-test-suite/invalid"), ".yaml");
    assert_eq!(paths.len(), 43);
    for path in paths {
        let accepted = read_yaml(&path, &mut wrong).is_none();
        if accepted != ACCEPTED_INVALID.iter().any(|(name, _)| *name == stem(&path)) {
            wrong.push(format!("{} accepted: {accepted}", stem(&path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn yaml_gives_a_result_or_an_error_with_a_position() {
    with_stack(check_yaml);
}

fn check_yaml() {
    let Some(data) = test_data("the YAML test suite") else { return };
    let mut wrong = Vec::new();
    let mut paths: Vec<PathBuf> = files(&data.join("bad-input/yaml-test-suite/valid"), ".yaml");
    assert_eq!(paths.len(), 134);
    let mut read = 0;
    for path in &paths {
        read += usize::from(read_yaml(path, &mut wrong).is_none());
    }
    // A pipeline file cannot have tags, several documents or keys that are not text. Most other
    // documents must be readable.
    assert!(read >= 80, "only {read} of {} were read", paths.len());
    paths = files(&data.join("bad-input/yaml-torture"), ".yaml");
    assert_eq!(paths.len(), 15);
    for path in &paths {
        let error = read_yaml(path, &mut wrong);
        let refused = [
            "alias-bomb-billion-laughs",
            "deep-nesting-10000",
            "duplicate-keys-nested",
            "duplicate-keys-top",
            "floats",
            "python-tag",
            "self-reference",
            "tabs-indent",
        ];
        if error.is_some() != refused.contains(&stem(path).as_str()) {
            wrong.push(format!("{}: {error:?}", stem(path)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn invalid_addresses_are_rejected() {
    let Some(data) = test_data("e-mail addresses") else { return };
    let read = |file: &str| -> Vec<Json> {
        let lines = lines(&data.join(file));
        lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let mut refused = 0;
    for row in read("bad-input/email/isemail.ndjson") {
        if row["category"] == "ISEMAIL_ERR" {
            refused += 1;
            assert!(!is_email(row["address"].as_str().unwrap()), "{row}");
        }
    }
    for row in read("bad-input/email/injection.ndjson") {
        if row["field"] == "email" {
            refused += 1;
            assert!(!is_email(row["value"].as_str().unwrap()), "{row}");
        }
    }
    assert!(refused > 40, "only {refused} addresses");
    // Without valid addresses, a check that rejects everything would pass.
    let customers = lines(&data.join("orders/customers.ndjson"));
    assert!(!customers.is_empty());
    for line in customers {
        let customer: Json = serde_json::from_str(&line).unwrap();
        assert!(is_email(customer["email"].as_str().unwrap()), "{customer}");
    }
}

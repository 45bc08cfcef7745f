//! States of earlier versions: they can be read, run, retried and backed up.

use rusqlite::Connection;
use serde_json::json;

use crate::harness::{Scratch, TestPipeline, copy, dump, root};

/// Copies the state that version 0.1.0 wrote.
fn first_version(scratch: &Scratch) -> TestPipeline {
    let folder = scratch.path("shop");
    copy(&root().join("tests/states/0.1.0"), &folder);
    TestPipeline { pipeline: folder.join("shop.yaml"), state: folder.join("state") }
}

fn states(site: &TestPipeline) -> Vec<(String, String)> {
    let listed = site.call(&["runs", "list"], &["--format", "json"]).exits(0).json();
    let runs = listed["runs"].as_array().unwrap().iter();
    let of = |run: &serde_json::Value, name: &str| run[name].as_str().unwrap().to_owned();
    let mut states: Vec<_> = runs.map(|run| (of(run, "key"), of(run, "state"))).collect();
    states.sort();
    states
}

#[test]
fn reading_a_state_of_the_first_version_does_not_change_it() {
    let scratch = Scratch::new();
    let site = first_version(&scratch);
    let before = std::fs::read(site.state.join("oms.db")).unwrap();
    let expected = [("A-1", "completed"), ("A-2", "parked"), ("A-3", "cancelled")];
    let expected = expected.map(|(key, state)| (key.to_owned(), state.to_owned()));
    assert_eq!(states(&site), expected);
    let shown = site.call(&["runs", "show"], &["A-2"]).exits(0);
    assert!(shown.stdout.contains("no_row"), "{}", shown.stdout);
    let mail = site.call(&["mail", "show"], &["A-1"]).exits(0);
    assert!(mail.stdout.contains("Order A-1"), "{}", mail.stdout);
    assert_eq!(std::fs::read(site.state.join("oms.db")).unwrap(), before);
}

#[test]
fn a_state_of_the_first_version_can_be_run_retried_and_backed_up() {
    let scratch = Scratch::new();
    let site = first_version(&scratch);
    let (code, summary) = site.run(&site.pipeline.with_file_name("orders.ndjson"));
    assert_eq!((code, &summary["duplicates"], &summary["accepted"]), (0, &json!(3), &json!(0)));
    let keys = site.call(&["keys", "list"], &[]).exits(0).stdout;
    assert!(keys.contains("shop") && keys.contains("boss"), "{keys}");
    let more = scratch
        .write("more.ndjson", "{\"id\":\"C2\",\"name\":\"Ben\",\"email\":\"ben@example.com\"}\n");
    site.call(&["db", "import"], &["customers", &more.to_string_lossy()]).exits(0);
    site.call(&["runs", "retry"], &["A-2"]).exits(0);
    // The pipeline had no time zone when the run began, so its days are in UTC.
    let bills = [
        json!({ "order_id": "A-1", "amount": "12.50", "day": "2026-02-28" }),
        json!({ "order_id": "A-2", "amount": "7.00", "day": "2026-02-28" }),
    ];
    assert_eq!(site.export("bills"), bills);
    assert_eq!(site.export("misses").len(), 3, "a completed catch step ran again");
    let copy = scratch.path("copy.db");
    site.call(&["db", "backup"], &[&copy.to_string_lossy()]).exits(0);
    assert_eq!(dump(&Connection::open(copy).unwrap()), dump(&site.connection()));
}

//! Keeping a state for long: copies of it while it is used, and letting go of what is old.

use serde_json::{Value as Json, json};

use crate::harness::{Scratch, Site, dump, root};

/// A storefront whose samples were run.
fn ran(scratch: &Scratch) -> Site {
    let site = Site::storefront(scratch.path("state"));
    site.call(&["run"], &["--samples"]).exits(0);
    site
}

#[test]
fn a_copy_is_the_whole_state_and_writes_over_nothing() {
    let scratch = Scratch::new();
    let site = ran(&scratch);
    let copy = scratch.path("again/oms.db");
    std::fs::create_dir(scratch.path("again")).unwrap();
    let shown = copy.to_string_lossy();
    site.call(&["db", "backup"], &[&shown]).exits(0);
    let again = Site { pipeline: site.pipeline.clone(), state: scratch.path("again") };
    assert_eq!(dump(&again.connection()), dump(&site.connection()));
    let refused = site.call(&["db", "backup"], &[&shown]).exits(4);
    assert!(refused.stderr.contains("cannot be used"), "{}", refused.stderr);
    // A copy is a state: it goes on.
    let (code, summary) = again.run(&root().join("pipelines/storefront/samples/NW-10248.json"));
    assert_eq!((code, &summary["duplicates"]), (0, &json!(1)));
}

#[test]
fn what_was_let_go_of_is_still_a_duplicate_and_its_rows_stay() {
    let scratch = Scratch::new();
    let site = ran(&scratch);
    let bills = site.export("billing_data");
    let none = site.call(&["runs", "prune"], &["--older-than", "1d", "--format", "json"]).exits(0);
    assert_eq!(none.json()["pruned"], 0);
    let runs = site.count("select count(*) from oms_runs");
    // As if they had been accepted and had ended two days ago.
    let past = "update oms_runs set accepted_at = accepted_at - 172800000, updated_at = updated_at - 172800000";
    site.connection().execute(past, []).unwrap();
    site.connection()
        .execute("update oms_runs set state = 'parked' where key = 'NW-10248'", [])
        .unwrap();
    let some = site.call(&["runs", "prune"], &["--older-than", "1d", "--format", "json"]).exits(0);
    assert_eq!(some.json()["pruned"], runs - 1);
    for table in ["oms_runs", "oms_mails", "oms_objects"] {
        assert_eq!(
            site.count(&format!("select count(*) from {table}")),
            1,
            "{table}: one is parked"
        );
    }
    assert_eq!(site.export("billing_data"), bills);
    let order = root().join("pipelines/storefront/samples/OR-548813.json");
    let (code, summary) = site.run(&order);
    assert_eq!((code, &summary["duplicates"], &summary["accepted"]), (0, &json!(1), &json!(0)));
    let mut other: Json = serde_json::from_slice(&std::fs::read(order).unwrap()).unwrap();
    other["customer_id"] = json!("somebody else");
    let (code, summary) = site.run(&scratch.write("other.json", other.to_string()));
    assert_eq!((code, &summary["conflicts"]), (1, &json!(1)));
    site.call(&["runs", "prune"], &["--older-than", "soon"]).exits(2);
}

//! Maintenance of a state: backups, the deletion of old runs, and the erasure of customers.

use std::fmt::Write as _;

use rusqlite::types::ValueRef;
use serde_json::{Value as Json, json};

use crate::harness::{Scratch, TestPipeline, database_bytes, dump, root};

/// Runs the storefront's samples.
fn run_samples(scratch: &Scratch) -> TestPipeline {
    let site = TestPipeline::storefront(scratch.path("state"));
    site.call(&["run"], &["--samples"]).exits(0);
    site
}

#[test]
fn a_backup_is_complete_and_overwrites_no_file() {
    let scratch = Scratch::new();
    let site = run_samples(&scratch);
    let copy = scratch.path("again/oms.db");
    std::fs::create_dir(scratch.path("again")).unwrap();
    let shown = copy.to_string_lossy();
    site.call(&["db", "backup"], &[&shown]).exits(0);
    let again = TestPipeline { pipeline: site.pipeline.clone(), state: scratch.path("again") };
    assert_eq!(dump(&again.connection()), dump(&site.connection()));
    let refused = site.call(&["db", "backup"], &[&shown]).exits(4);
    assert!(refused.stderr.contains("cannot use"), "{}", refused.stderr);
    // The copy is a complete state, so `oms run` continues with it.
    let (code, summary) = again.run(&root().join("pipelines/storefront/samples/NW-10248.json"));
    assert_eq!((code, &summary["duplicates"]), (0, &json!(1)));
}

#[test]
fn the_order_of_a_pruned_run_is_still_a_duplicate_and_its_rows_remain() {
    let scratch = Scratch::new();
    let site = run_samples(&scratch);
    let bills = site.export("billing_data");
    let none = site.call(&["runs", "prune"], &["--older-than", "1d", "--format", "json"]).exits(0);
    assert_eq!(none.json()["pruned"], 0);
    let runs = site.count("select count(*) from oms_runs");
    // Pretend that the runs were accepted and ended two days ago.
    let past = "update oms_runs set accepted_at = accepted_at - 172800000, updated_at = updated_at - 172800000";
    site.connection().execute(past, []).unwrap();
    site.connection()
        .execute("update oms_runs set state = 'parked' where key = 'NW-10248'", [])
        .unwrap();
    let some = site.call(&["runs", "prune"], &["--older-than", "1d", "--format", "json"]).exits(0);
    assert_eq!(some.json()["pruned"], runs - 1);
    for table in ["oms_runs", "oms_mails", "oms_objects"] {
        // Only the parked run remains.
        assert_eq!(site.count(&format!("select count(*) from {table}")), 1, "{table}");
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
    // Table rows refer to runs by number, so numbers of deleted runs must not be reused.
    let last = site.count("select max(oms_run) from billing_data");
    other["order_id"] = json!("NEW-1");
    site.run(&scratch.write("new.json", other.to_string()));
    assert!(site.count("select max(id) from oms_runs") > last);
}

#[test]
fn forget_erases_everything_but_amounts_and_digests() {
    let scratch = Scratch::new();
    let site = TestPipeline::order_management(scratch.path("state"));
    site.call(&["run"], &["--samples"]).exits(0);
    let before = site.export("billing_data");
    // The dump shows texts as bytes.
    let other = format!("{:?}", ValueRef::Text(b"A2"));
    let count_others =
        || dump(&site.connection()).lines().filter(|line| line.contains(&other)).count();
    let others = count_others();
    assert!(others > 0, "the state has no data of another customer");
    // The text of the erased customer, in any case.
    let texts_in_files = || -> Vec<&str> {
        let bytes = database_bytes(&site.state.join("oms.db"));
        let is_in = |text: &&str| {
            bytes.windows(text.len()).any(|part| part.eq_ignore_ascii_case(text.as_bytes()))
        };
        ["John Doe", "john.doe"].into_iter().filter(is_in).collect()
    };
    assert_eq!(texts_in_files(), ["John Doe", "john.doe"]);
    let listed = site.call(&["forget"], &["A1", "--dry-run", "--format", "json"]).exits(0).json();
    let unchanged = site.export("billing_data");
    assert_eq!(unchanged, before);
    let done = site.call(&["forget"], &["A1", "--yes", "--format", "json"]).exits(0).json();
    let expected = |dry_run: bool| {
        json!({
            "format_version": 1, "dry_run": dry_run, "customers": ["A1"], "runs": 1, "rows": 2,
            "tables": { "billing_data": 1, "customer_contact_info": 1 }, "open": 0, "left": [],
            "tables_without_customer": [],
        })
    };
    assert_eq!((listed, done), (expected(true), expected(false)));
    let after = site.export("billing_data");
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before["bill_amount_usd"], after["bill_amount_usd"]);
        let forgotten = before["customer_id"] == "A1";
        assert_eq!(after["customer_name"] == before["customer_name"], !forgotten, "{after}");
    }
    assert_eq!(site.count("select count(*) from customer_contact_info"), 4);
    assert_eq!(site.count("select count(*) from oms_mails"), 4);
    assert_eq!(count_others(), others);
    // The text must not be in the files, not even in deleted pages.
    assert_eq!(texts_in_files(), [""; 0]);
    let (code, summary) = site.run(&root().join("pipelines/order-management/samples/A1.json"));
    assert_eq!((code, &summary["duplicates"]), (0, &json!(1)));
}

#[test]
fn deleted_data_is_overwritten_in_the_database_file() {
    let scratch = Scratch::new();
    let site = TestPipeline::order_management(scratch.path("state"));
    let sample = std::fs::read(root().join("pipelines/order-management/samples/A1.json")).unwrap();
    let mut order: Json = serde_json::from_slice(&sample).unwrap();
    let orders = scratch.path("orders");
    std::fs::create_dir(&orders).unwrap();
    let mut contacts = String::new();
    // Enough orders for several pages in every table, with keys in random order.
    for number in 0..300_u32 {
        order["customerName"] = json!(format!("Name{number:04} Family"));
        order["customerId"] = json!(format!("C{number}"));
        let contact = json!({ "cust_id": format!("C{number}"), "cust_name": "Any", "cust_email_id": "any@example.org" });
        writeln!(contacts, "{contact}").unwrap();
        let key = number.wrapping_mul(2_654_435_761);
        std::fs::write(orders.join(format!("K{key:08x}.json")), order.to_string()).unwrap();
    }
    let contacts = scratch.write("contacts.ndjson", contacts);
    site.call(&["db", "import"], &["customer_contact_info", &contacts.to_string_lossy()]).exits(0);
    let paths: Vec<String> = crate::harness::files(&orders, ".json")
        .iter()
        .map(|path| path.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = paths.iter().flat_map(|path| ["--input", path.as_str()]).collect();
    site.call(&["run"], &words).exits(0);
    let found = |name: &str| {
        let bytes = database_bytes(&site.state.join("oms.db"));
        bytes.windows(name.len()).any(|part| part == name.as_bytes())
    };
    assert!(found("Name0003"));
    for number in (3..300).step_by(10) {
        let name = format!("Name{number:04}");
        site.call(&["forget"], &[&format!("C{number}"), "--yes"]).exits(0);
        assert!(!found(&name), "{name}");
    }
    let past = "update oms_runs set updated_at = updated_at - 172800000, accepted_at = accepted_at - 172800000";
    site.connection().execute(past, []).unwrap();
    site.call(&["runs", "prune"], &["--older-than", "1d"]).exits(0);
    // Pruning keeps the rows of the pipeline's tables; `forget` still erases them.
    assert!(found("Name0004"));
    site.call(&["forget"], &["C4", "--yes"]).exits(0);
    assert!(!found("Name0004"));
}

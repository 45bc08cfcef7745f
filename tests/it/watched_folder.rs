//! `run --watch`: each file that is dropped into a folder is processed once, even if the process is
//! killed.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Scratch, TestPipeline, root};

/// A running watcher. Dropping it kills the process, as a crash would.
struct Watcher(Child);

impl Watcher {
    fn start(site: &TestPipeline, folder: &Path) -> Self {
        let mut command = site.command(&["run"], &["--watch", &folder.to_string_lossy()]);
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[expect(clippy::disallowed_methods, reason = "a test waits for another process")]
#[track_caller]
fn until(what: &str, reached: impl Fn() -> bool) {
    let begun = Instant::now();
    while !reached() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{what} took too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_file_is_processed_once_and_moved_away() {
    let scratch = Scratch::new();
    let site = TestPipeline::storefront(scratch.path("state"));
    let folder = scratch.path("in");
    std::fs::create_dir(&folder).unwrap();
    let sample = root().join("pipelines/storefront/samples/NW-10248.json");
    let watcher = Watcher::start(&site, &folder);
    std::fs::copy(&sample, folder.join("one.json")).unwrap();
    until("the first file", || folder.join("done/one.json").exists());
    assert_eq!(site.count("select count(*) from oms_runs"), 1);
    // The same file again, an invalid file, an unfinished file and a file of another type.
    std::fs::copy(&sample, folder.join("one.json")).unwrap();
    std::fs::write(folder.join("broken.ndjson"), "{\"order_id\": 1}\n").unwrap();
    std::fs::write(folder.join(".later.json"), "{").unwrap();
    std::fs::write(folder.join("notes.txt"), "no orders").unwrap();
    until("the other files", || {
        folder.join("done/2-one.json").exists() && folder.join("refused/broken.ndjson").exists()
    });
    assert!(folder.join(".later.json").exists() && folder.join("notes.txt").exists());
    // Files that arrive while no process runs are processed by the next one.
    drop(watcher);
    let orders: String = ["NW-10249", "NW-10250"]
        .map(|key| {
            std::fs::read_to_string(&sample).unwrap().replace("NW-10248", key).replace('\n', " ")
                + "\n"
        })
        .concat();
    std::fs::write(folder.join("two.ndjson"), orders).unwrap();
    std::fs::write(folder.join("three.csv"), "order_id\nNW-10251\n").unwrap();
    let _watcher = Watcher::start(&site, &folder);
    until("the remaining files", || {
        folder.join("done/two.ndjson").exists() && folder.join("refused/three.csv").exists()
    });
    assert_eq!(site.count("select count(*) from oms_runs where state = 'completed'"), 3);
    assert_eq!(site.count("select count(*) from billing_data"), 3);
}

#[test]
fn a_file_with_a_duplicate_by_ignored_members_is_not_refused() {
    let scratch = Scratch::with_pipelines();
    let pipeline = scratch.path("pipelines/shopify.yaml");
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    let folder = scratch.path("in");
    std::fs::create_dir(&folder).unwrap();
    let sample = root().join("pipelines/shopify/samples/450789469.json");
    let order: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&sample).unwrap()).unwrap();
    let write = |name: &str, order: &serde_json::Value| {
        std::fs::write(folder.join(name), order.to_string()).unwrap();
    };
    let _watcher = Watcher::start(&site, &folder);
    write("one.json", &order);
    until("the order", || folder.join("done/one.json").exists());
    let mut later = order.clone();
    later["updated_at"] = serde_json::json!("2024-07-05T10:30:00Z");
    later["line_items"][0]["fulfillment_status"] = serde_json::json!("fulfilled");
    write("two.json", &later);
    until("the duplicate", || folder.join("done/two.json").exists());
    later["total_price"] = serde_json::json!("16.00");
    write("three.json", &later);
    until("the conflict", || folder.join("refused/three.json").exists());
    assert_eq!(site.count("select count(*) from oms_runs"), 1);
}

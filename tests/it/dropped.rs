//! `run --watch`: files that are dropped into a folder are taken in, each once, whatever ends the process.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::harness::{Scratch, Site, root};

/// A watcher at work; dropped, it is killed as a crash would.
struct Watcher(Child);

impl Watcher {
    fn start(site: &Site, folder: &Path) -> Self {
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
fn a_file_is_taken_in_once_and_put_away() {
    let scratch = Scratch::new();
    let site = Site::storefront(scratch.path("state"));
    let folder = scratch.path("in");
    std::fs::create_dir(&folder).unwrap();
    let sample = root().join("pipelines/storefront/samples/NW-10248.json");
    let watcher = Watcher::start(&site, &folder);
    std::fs::copy(&sample, folder.join("one.json")).unwrap();
    until("the first file", || folder.join("done/one.json").exists());
    assert_eq!(site.count("select count(*) from oms_runs"), 1);
    // The same again under the same name, a file that is none, and one that is not finished.
    std::fs::copy(&sample, folder.join("one.json")).unwrap();
    std::fs::write(folder.join("broken.ndjson"), "{\"order_id\": 1}\n").unwrap();
    std::fs::write(folder.join(".later.json"), "{").unwrap();
    std::fs::write(folder.join("notes.txt"), "no orders").unwrap();
    until("the others", || {
        folder.join("done/2-one.json").exists() && folder.join("refused/broken.ndjson").exists()
    });
    assert!(folder.join(".later.json").exists() && folder.join("notes.txt").exists());
    // What was there when the process ended is taken in by the next one.
    drop(watcher);
    let orders: String = ["NW-10249", "NW-10250"]
        .map(|key| {
            std::fs::read_to_string(&sample).unwrap().replace("NW-10248", key).replace('\n', " ")
                + "\n"
        })
        .concat();
    std::fs::write(folder.join("two.ndjson"), orders).unwrap();
    let _watcher = Watcher::start(&site, &folder);
    until("what was left", || folder.join("done/two.ndjson").exists());
    assert_eq!(site.count("select count(*) from oms_runs where state = 'completed'"), 3);
    assert_eq!(site.count("select count(*) from billing_data"), 3);
}

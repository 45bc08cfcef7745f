//! Export of objects and e-mails: each gets its own file, and a file that cannot be written stops
//! nothing and is written later.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::Connection;
use serde_json::json;

use crate::harness::{Scratch, TestPipeline};
use crate::serve::server::Server;

const PIPELINE: &str = r#"
oms: 1
name: exporting
order:
  schema: { type: object, required: [id, name], properties: { id: { type: string }, name: { type: string } } }
  key: ${{ order.id }}
intake: { path: "/orders/{key}" }
steps:
  whole: { uses: object.put, with: { bucket: out, key: "${{ run.key }}", body: "${{ run.key }}" } }
  part: { uses: object.put, with: { bucket: out, key: "${{ run.key }}/${{ order.name }}", body: "${{ run.key }}/${{ order.name }}" } }
"#;

fn site(scratch: &Scratch) -> TestPipeline {
    let pipeline = scratch.write("exporting.yaml", PIPELINE);
    TestPipeline { pipeline, state: scratch.path("state") }
}

/// Returns the contents of all files below a folder by path.
fn files(folder: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

/// Returns the keys of the objects, which are also their contents.
fn keys(site: &TestPipeline) -> Vec<String> {
    let list = site.call(&["objects", "list"], &["--format", "json"]).exits(0).json();
    let objects = list["objects"].as_array().unwrap();
    objects.iter().map(|object| object["key"].as_str().unwrap().to_owned()).collect()
}

fn orders(scratch: &Scratch, names: &[&str]) -> String {
    let line = |(at, name): (usize, &&str)| {
        format!("{}\n", json!({ "id": format!("k{at}"), "name": name }))
    };
    let text: String = names.iter().enumerate().map(line).collect();
    scratch.write("orders.ndjson", text).to_string_lossy().into_owned()
}

#[test]
fn every_object_key_has_its_own_file() {
    let scratch = Scratch::new();
    let site = site(&scratch);
    let long = "x".repeat(300);
    let names = ["x", "", "a//b", "a/_/b", "a/./b", "../../../../escape", &long, "a/"];
    let (as_they_come, later) = (scratch.path("come"), scratch.path("later"));
    let input = orders(&scratch, &names);
    let words = ["--input", &input, "--export", &as_they_come.to_string_lossy()];
    site.call(&["run"], &words).exits(0);
    site.call(&["objects", "export"], &[&later.to_string_lossy()]).exits(0);
    let mut expected = keys(&site);
    assert_eq!(expected.len(), 2 * names.len());
    expected.sort();
    let written = files(&as_they_come.join("objects"));
    let mut contents: Vec<String> = written.values().cloned().collect();
    contents.sort();
    assert_eq!(contents, expected);
    assert_eq!(written, files(&later), "two exports use different file names");
    assert_eq!(written["out/k0/x"], "k0/x");
    assert!(!scratch.path("escape").exists());
}

#[test]
fn a_failed_export_affects_one_object_and_is_repeated_by_the_next_process() {
    let scratch = Scratch::new();
    let site = site(&scratch);
    let folder = scratch.path("files");
    // A dangling link: neither a folder nor a file can be created in its place.
    std::fs::create_dir_all(folder.join("objects/out")).unwrap();
    let way = folder.join("objects/out/k1");
    std::os::unix::fs::symlink(scratch.path("missing/folder"), &way).unwrap();
    let input = orders(&scratch, &["x", "x", "x"]);
    let export = folder.to_string_lossy().into_owned();
    let output = site.call(&["run"], &["--input", &input, "--export", &export]).exits(1);
    assert!(output.stderr.contains("the object `out/k1` was not exported: "), "{}", output.stderr);
    assert!(output.stderr.contains("not exported; see the warnings"), "{}", output.stderr);
    assert!(output.stdout.contains("3 completed"), "{}", output.stdout);
    assert_eq!(files(&folder.join("objects/out/k0")).len(), 1);
    assert_eq!(files(&folder.join("objects/out/k2")).len(), 1);
    // The cause remains, so the next call reports it again.
    let again = site.call(&["run"], &["--input", &input, "--export", &export]).exits(1);
    assert!(again.stderr.contains("the object `out/k1` was not exported: "), "{}", again.stderr);
    let all = site.call(&["objects", "export"], &[&folder.join("objects").to_string_lossy()]);
    assert!(all.stderr.contains("the object `out/k1` was not exported: "), "{}", all.stderr);
    assert_eq!(all.code, 1);
    std::fs::remove_file(&way).unwrap();
    site.call(&["run"], &["--input", &input, "--export", &export]).exits(0);
    let mut contents: Vec<String> = files(&folder.join("objects")).into_values().collect();
    contents.sort();
    assert_eq!(contents, keys(&site));
    // No export is pending any more, so the next process writes nothing, even though the files were
    // deleted.
    std::fs::remove_dir_all(&folder).unwrap();
    site.call(&["run"], &["--input", &input, "--export", &export]).exits(0);
    assert!(files(&folder).is_empty(), "{:?}", files(&folder));
}

#[test]
fn warnings_contain_no_object_keys_with_personal_data() {
    let scratch = Scratch::new();
    let name = "name: { type: string";
    let pipeline = PIPELINE.replace(name, &format!("{name}, x-pii: true"));
    let site = TestPipeline {
        pipeline: scratch.write("exporting.yaml", pipeline),
        state: scratch.path("state"),
    };
    let folder = scratch.path("files");
    std::fs::create_dir_all(folder.join("objects/out")).unwrap();
    let way = folder.join("objects/out/k0");
    std::os::unix::fs::symlink(scratch.path("missing/folder"), &way).unwrap();
    let input = orders(&scratch, &["anna"]);
    let words = ["--input", &input, "--export", &folder.to_string_lossy()];
    let export = folder.join("objects");
    for output in [
        site.call(&["run"], &words),
        site.call(&["objects", "export"], &[&export.to_string_lossy()]),
    ] {
        let stderr = output.exits(1).stderr;
        assert!(
            stderr.contains("warning: an object in `out`, whose keys contain personal data"),
            "{stderr}"
        );
        assert!(!stderr.contains("anna"), "{stderr}");
    }
}

#[test]
fn a_server_continues_after_a_failed_export() {
    let scratch = Scratch::new();
    let folder = scratch.path("files");
    std::fs::create_dir_all(folder.join("objects/out")).unwrap();
    let way = folder.join("objects/out/k1");
    std::os::unix::fs::symlink(scratch.path("missing/folder"), &way).unwrap();
    let server = Server::start(site(&scratch), &["--export", &folder.to_string_lossy()]);
    for key in ["k0", "k1", "k2"] {
        let order = json!({ "id": key, "name": "x" });
        let (path, order) = (format!("/orders/{key}"), order.to_string());
        let headers = ["content-type: application/json", "prefer: wait=5"];
        server.call("PUT", &path, &headers, order.as_bytes()).is(201);
    }
    let stopped = server.end();
    assert_eq!(stopped.code, 0);
    assert!(
        stopped.stderr.contains("the object `out/k1` was not exported: "),
        "{}",
        stopped.stderr
    );
    assert_eq!(files(&folder.join("objects/out/k2")).len(), 1);
}

#[cfg(feature = "failpoints")]
#[test]
fn the_next_process_exports_what_a_killed_process_did_not() {
    use crate::harness::finish;

    let scratch = Scratch::new();
    let site = site(&scratch);
    let folder = scratch.path("files");
    let input = orders(&scratch, &["x", "x", "x"]);
    let words = ["--concurrency", "1", "--input", &input, "--export", &folder.to_string_lossy()];
    let mut command = site.command(&["run"], &words);
    assert_eq!(finish(command.env("OMS_FAILPOINT", "after_commit:2")).code, -1);
    let before = files(&folder.join("objects")).len();
    assert!(before < keys(&site).len(), "{before}");
    site.call(&["run"], &words).exits(0);
    let mut contents: Vec<String> = files(&folder.join("objects")).into_values().collect();
    contents.sort();
    assert_eq!(contents, keys(&site));
}

#[test]
fn mails_of_a_damaged_run_are_exported_later() {
    let scratch = Scratch::with_pipelines();
    let pipeline = scratch.path("pipelines/order-management.yaml");
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    let folder = scratch.path("files");
    // A file in place of the folder of the e-mails.
    std::fs::create_dir_all(folder.join("mail")).unwrap();
    std::fs::write(folder.join("mail/new"), "").unwrap();
    let export = folder.to_string_lossy().into_owned();
    site.call(&["run"], &["--samples", "--export", &export]).exits(1);
    std::fs::remove_file(folder.join("mail/new")).unwrap();
    let database = Connection::open(site.state.join("oms.db")).unwrap();
    database.execute("update oms_journal set events = cast(x'ff' as text)", []).unwrap();
    drop(database);
    let none = scratch.write("none.ndjson", "").to_string_lossy().into_owned();
    site.call(&["run"], &["--input", &none, "--export", &export]).exits(0);
    let list = site.call(&["mail", "list"], &["--format", "json"]).exits(0).json();
    assert_eq!(files(&folder.join("mail/new")).len(), list["mails"].as_array().unwrap().len());
}

#[test]
fn a_mail_whose_message_id_is_longer_than_a_file_name_is_exported() {
    let scratch = Scratch::with_pipelines();
    let domain = format!(
        "{}.example.com",
        ["x".repeat(60), "y".repeat(60), "z".repeat(60), "w".repeat(50)].join(".")
    );
    scratch.edit("pipelines/order-management.yaml", "@example.com", &format!("@{domain}"));
    let pipeline = scratch.path("pipelines/order-management.yaml");
    let site = TestPipeline { pipeline, state: scratch.path("state") };
    let folder = scratch.path("files");
    site.call(&["run"], &["--samples", "--export", &folder.to_string_lossy()]).exits(0);
    let list = site.call(&["mail", "list"], &["--format", "json"]).exits(0).json();
    let mails = list["mails"].as_array().unwrap();
    assert!(mails.iter().any(|mail| mail["message_id"].as_str().unwrap().len() > 255), "{mails:?}");
    assert_eq!(files(&folder.join("mail/new")).len(), mails.len());
    let later = scratch.path("later");
    site.call(&["mail", "export"], &[&later.to_string_lossy()]).exits(0);
    assert_eq!(files(&later.join("new")), files(&folder.join("mail/new")));
}

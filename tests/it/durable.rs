//! Guarantees of durable runs besides surviving a crash: one owner, a clean stop, and a summary
//! only of data that is on disk.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value as Json;

use crate::harness::{Scratch, Site, files, root};

/// Returns the storefront's samples, one per line.
fn samples() -> String {
    let read = |path: &std::path::PathBuf| {
        let order: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        format!("{order}\n")
    };
    files(&root().join("pipelines/storefront/samples"), ".json").iter().map(read).collect()
}

/// Starts a run that reads standard input, writes the samples to it, and waits until the first run
/// is listed.
fn running(site: &Site) -> Child {
    let mut command = site.command(&["run"], &["--input", "-", "--format", "json"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(samples().as_bytes()).unwrap();
    // The test must poll because another process does the work.
    for _ in 0..2000 {
        let list = site.call(&["runs", "list"], &["--format", "json"]);
        if list.code == 0 && list.json()["runs"].as_array().is_some_and(|runs| !runs.is_empty()) {
            return child;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().and_then(|()| child.wait()).unwrap();
    panic!("no order was accepted");
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn a_second_owner_of_a_state_directory_is_rejected_with_the_id_of_the_first() {
    let scratch = Scratch::new();
    let site = Site::storefront(scratch.path("state"));
    let mut owner = running(&site);
    for words in [&["run"][..], &["runs", "retry"][..]] {
        let others: &[&str] = if words.len() == 2 { &["--all"] } else { &[] };
        let second = site.call(words, others).exits(4);
        assert!(second.stdout.is_empty(), "{}", second.stdout);
        assert!(second.stderr.contains(&format!("process {}", owner.id())), "{}", second.stderr);
    }
    // A read-only command needs no lock.
    site.call(&["mail", "list"], &[]).exits(0);
    drop(owner.stdin.take());
    assert_eq!(owner.wait().unwrap().code(), Some(0));
    site.call(&["run"], &["--format", "json"]).exits(0);
}

#[test]
fn an_interrupted_run_exits_with_130_and_the_next_run_finishes() {
    let scratch = Scratch::new();
    let site = Site::storefront(scratch.path("state"));
    let mut child = running(&site);
    // Standard input stays open: an interrupted program does not wait for more input.
    let input = child.stdin.take();
    interrupt(&child);
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    drop(input);
    let first: Json = serde_json::from_slice(&output.stdout).unwrap();
    let input = scratch.write("orders.ndjson", samples());
    let (code, second) = site.run(&input);
    let number = |summary: &Json, name: &str| summary[name].as_i64().unwrap();
    let orders = i64::try_from(samples().lines().count()).unwrap();
    assert_eq!(code, 0, "{second}");
    assert_eq!(number(&first, "completed") + number(&second, "completed"), orders);
    assert_eq!(site.count("select count(*) from billing_data"), orders);
    assert_eq!(site.count("select count(*) from oms_mails"), orders);
}

#[test]
fn the_summary_is_one_line_with_consistent_counts() {
    let scratch = Scratch::new();
    let site = Site::storefront(scratch.path("state"));
    let sample = samples().lines().next().unwrap().to_owned();
    let other = sample.replace("\"shipping_country\":\"", "\"shipping_country\":\"X");
    assert_ne!(sample, other);
    let unpriced = sample.replace("\"order_id\":\"", "\"order_id\":\"V-").replace("EUR", "VES");
    let text = format!("{}{sample}\n{other}\n{unpriced}\n{{\n", samples());
    let input = scratch.write("orders.ndjson", &text);
    for words in [vec!["--input", input.to_str().unwrap()], vec!["--samples"], vec![]] {
        let output = site.call(&["run"], &[&["--format", "json"], words.as_slice()].concat());
        assert_eq!(output.stdout.lines().count(), 1, "{}", output.stdout);
        assert!(output.stdout.ends_with("}\n"));
        let line = output.json();
        let number = |name: &str| {
            line[name].as_u64().unwrap_or_else(|| panic!("{name} is missing in {line}"))
        };
        let sum = |names: &[&str]| -> u64 { names.iter().map(|name| number(name)).sum() };
        assert_eq!(
            number("read"),
            sum(&["accepted", "duplicates", "conflicts", "rejected"]),
            "{line}"
        );
        assert_eq!(
            sum(&["accepted", "resumed"]),
            sum(&["completed", "parked", "waiting", "cancelled", "in_progress"]),
            "{line}"
        );
        assert_eq!(line["format_version"], 1);
        assert_eq!(line["pipeline"], "storefront");
        let (seconds, rate) =
            (line["seconds"].as_f64().unwrap(), line["orders_per_second"].as_f64().unwrap());
        assert!(seconds >= 0.0 && rate >= 0.0);
        if words.len() == 2 {
            let read = text.lines().count() as u64;
            let counts = ["read", "duplicates", "conflicts", "rejected", "parked"].map(number);
            assert_eq!(counts, [read, 1, 1, 1, 1], "{line}{}", output.stderr);
            assert_eq!(output.code, 1);
        } else {
            assert_eq!(output.code, 0, "{line}{}", output.stderr);
        }
    }
}

/// Runs one order under `strace` and returns the system calls that write or sync, or `None` if
/// `strace` is not installed.
fn traced(site: &Site, trace: &Path, kill: Option<&str>) -> Option<Vec<String>> {
    let calls = "trace=fsync,fdatasync,write,pwrite64,writev,pwritev";
    let order = root().join("pipelines/storefront/samples/NW-10248.json");
    let inner = site.command(&["run"], &["--format", "json", "--input", order.to_str().unwrap()]);
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "16", "-e", calls, "-o"]).arg(trace).arg(inner.get_program());
    command.args(inner.get_args()).current_dir(root()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Some(kill) = kill {
        command.env("OMS_FAILPOINT", kill);
    }
    if command.status().is_err() {
        eprintln!("power loss: skipped because strace is not installed");
        return None;
    }
    Some(std::fs::read_to_string(trace).unwrap().lines().map(str::to_owned).collect())
}

fn is_sync(line: &str) -> bool {
    line.contains("fsync(") || line.contains("fdatasync(")
}

#[test]
fn the_summary_is_printed_after_the_last_sync() {
    let scratch = Scratch::new();
    let site = Site::storefront(scratch.path("state"));
    let Some(calls) = traced(&site, &scratch.path("trace"), None) else { return };
    let answer = calls.iter().position(|line| line.contains(" write(1<")).unwrap();
    let log = |line: &&String| line.contains("oms.db-wal>") || line.contains("/oms.db>");
    let last = calls[..answer].iter().rfind(log).unwrap();
    assert!(is_sync(last), "the last call before the summary is {last}");
    assert!(
        !calls[answer..].iter().any(|line| log(&line)),
        "the database was written after the summary"
    );
}

#[cfg(feature = "failpoints")]
#[test]
fn a_commit_is_synced_before_it_is_reported() {
    let scratch = Scratch::new();
    let site = Site::storefront(scratch.path("state"));
    // The process is killed right after the commit, so no checkpoint or close can sync what the
    // commit did not.
    let Some(calls) = traced(&site, &scratch.path("trace"), Some("after_commit:1")) else { return };
    assert!(!calls.iter().any(|line| line.contains(" write(1<")), "the process was not killed");
    let log: Vec<&String> = calls.iter().filter(|line| line.contains("oms.db-wal>")).collect();
    assert!(log.iter().filter(|line| line.contains("write")).count() > 1);
    assert!(is_sync(log.last().unwrap()), "the last call on the log is {}", log.last().unwrap());
    assert_eq!(site.count("select count(*) from billing_data"), 1);
}

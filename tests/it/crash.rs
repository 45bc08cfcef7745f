//! Crash tests: a kill at any moment loses nothing and repeats nothing. SIGKILL ends the program
//! around chosen commits. A second run completes the orders, and the state must equal that of an
//! uninterrupted run.
//!
//! `OMS_KILLS` sets the number of kills (default 20). The tests are compiled only with the
//! feature `failpoints`.

#![cfg(feature = "failpoints")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::Stdio;

use oms_sqlite::{Reader, StoredMail};
use serde_json::Value as Json;

use crate::harness::{
    Output, Scratch, TestPipeline, files, finish, lines, root, rows, setting, test_data,
};

/// The failpoints around a commit, used in turn.
const PLACES: [&str; 3] = ["before_commit", "after_commit", "before_batch"];

struct Work {
    input: PathBuf,
    orders: i64,
    concurrency: &'static str,
}

/// Returns all orders of the large file, or else the pipeline's samples, with a low concurrency so
/// that there are many commits.
fn work(scratch: &Scratch) -> Work {
    if let Some(data) =
        test_data("killing runs of two thousand orders (the samples are used instead)")
    {
        return Work {
            input: data.join("orders/orders-sample.ndjson"),
            orders: 2000,
            concurrency: "8",
        };
    }
    let mut text = String::new();
    for path in files(&root().join("pipelines/storefront/samples"), ".json") {
        let order: Json = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        writeln!(text, "{order}").unwrap();
    }
    let input = scratch.write("orders.ndjson", &text);
    let orders = i64::try_from(lines(&input).len()).unwrap();
    Work { input, orders, concurrency: "1" }
}

/// Runs the orders. With `kill`, the process is killed when it passes the failpoint for the n-th
/// time.
fn run(site: &TestPipeline, work: &Work, kill: Option<(&str, u64)>) -> Output {
    let input = work.input.to_string_lossy();
    let words = ["--format", "json", "--concurrency", work.concurrency, "--input", &input];
    let mut command = site.command(&["run"], &words);
    if let Some((place, count)) = kill {
        command.env("OMS_FAILPOINT", format!("{place}:{count}"));
    }
    finish(&mut command)
}

/// Returns the content of a state without timestamps: the tables with the order's key instead of
/// the run's number, and the e-mails as their parts.
fn content(site: &TestPipeline) -> BTreeMap<&'static str, Vec<String>> {
    let connection = site.connection();
    let table = |sql: &str| rows(&connection, sql);
    let mut content = BTreeMap::from([
        (
            "runs",
            table(
                "select key, hex(digest), state, wait_until, cause, bundle, body from oms_runs order by key",
            ),
        ),
        (
            "objects",
            table(
                "select bucket, o.key, r.key, content_type, o.body from oms_objects o left join oms_runs r on r.id = o.run order by bucket, o.key",
            ),
        ),
        ("customers", table("select * from customer_contact_info order by customer_id")),
        ("files", table("select hex(digest), content from oms_files order by digest")),
        (
            "bundles",
            table("select id, hex(digest), pipeline_file, files from oms_bundles order by id"),
        ),
        // The id of the state and the number of commits differ each time.
        (
            "meta",
            table("select * from oms_meta where name not in ('state', 'commits') order by name"),
        ),
    ]);
    let columns = "(select key from oms_runs where id = oms_run), order_id, customer_id, currency, amount, amount_usd, rate, from_rate, to_rate, rate_date, rate_source";
    content
        .insert("bills", table(&format!("select {columns} from billing_data order by order_id")));

    let mut journal = Vec::new();
    let sql = "select r.key, j.seq, j.events from oms_journal j left join oms_runs r on r.id = j.run order by r.key, j.seq";
    let mut statement = connection.prepare(sql).unwrap();
    let mut found = statement.query([]).unwrap();
    while let Some(row) = found.next().unwrap() {
        let (key, number): (String, i64) = (row.get(0).unwrap(), row.get(1).unwrap());
        let events: Vec<Json> = serde_json::from_str(&row.get::<_, String>(2).unwrap()).unwrap();
        let mut events: Vec<String> = events
            .into_iter()
            .map(|mut event| {
                let event = event.as_object_mut().unwrap();
                event.remove("at");
                event.remove("us");
                serde_json::to_string(event).unwrap()
            })
            .collect();
        // Branches run concurrently, so the order of their events differs between runs.
        events.sort();
        journal.push(format!("{key} {number} {}", events.join(" ")));
    }
    content.insert("journal", journal);

    let mut mails = Vec::new();
    StoredMail::each(&Reader::open(&site.state).unwrap(), None, |stored| {
        let (row, mail) = (stored.row, stored.mail);
        mails.push(format!(
            "{} {} {} {} {:?} {} {:?} {:?} {:?}",
            row.key,
            row.step,
            row.element,
            row.message_id,
            mail.from,
            mail.to,
            mail.subject,
            mail.text,
            mail.html
        ));
        Ok(())
    })
    .unwrap();
    mails.sort();
    content.insert("mails", mails);
    content
}

/// Describes the first lines in which two states differ.
fn difference(expected: &[String], found: &[String]) -> String {
    let lacks = expected.iter().find(|line| !found.contains(line));
    let has = found.iter().find(|line| !expected.contains(line));
    format!(
        "{} rows instead of {}; missing {lacks:?}; unexpected {has:?}",
        found.len(),
        expected.len()
    )
}

#[track_caller]
fn exactly_once(site: &TestPipeline, orders: i64) {
    for (what, sql) in [
        ("runs", "select count(*) from oms_runs where state = 'completed'"),
        ("bills", "select count(distinct order_id) from billing_data"),
        ("billing rows", "select count(*) from billing_data"),
        ("objects", "select count(*) from oms_objects"),
        ("orders with a mail", "select count(distinct run) from oms_mails"),
        ("mails", "select count(*) from oms_mails"),
        ("message ids", "select count(distinct message_id) from oms_mails"),
    ] {
        assert_eq!(site.count(sql), orders, "{what}");
    }
    assert_eq!(rows(&site.connection(), "pragma integrity_check"), ["Text([111, 107])"]);
}

#[test]
fn after_a_kill_at_any_commit_every_order_is_billed_stored_and_confirmed_once() {
    let kills: u64 = setting("OMS_KILLS").map_or(20, |kills| kills.parse().unwrap());
    let scratch = Scratch::new();
    let work = work(&scratch);
    let whole = TestPipeline::storefront(scratch.path("whole"));
    assert_eq!(run(&whole, &work, None).code, 0);
    exactly_once(&whole, work.orders);
    let expected = content(&whole);

    // Find the number of commits of a run: the kills are spread over them.
    let trial = |count: u64| {
        let site = TestPipeline::storefront(scratch.path(&format!("trial-{count}")));
        let killed = run(&site, &work, Some((PLACES[0], count))).code == -1;
        std::fs::remove_dir_all(&site.state).unwrap();
        killed
    };
    let (mut least, mut most) = (1, 16);
    while trial(most) {
        (least, most) = (most, most * 2);
    }
    while most - least > 1 + least / 16 {
        let middle = least.midpoint(most);
        if trial(middle) { least = middle } else { most = middle }
    }

    let mut inside = 0;
    let mut killed = 0;
    for at in 0..kills {
        let site = TestPipeline::storefront(scratch.path(&format!("killed-{at}")));
        let place = PLACES[usize::try_from(at).unwrap() % PLACES.len()];
        // The number of commits varies slightly, so the last ones are left out.
        let count = 2 + at * least * 9 / (10 * kills);
        let first = run(&site, &work, Some((place, count)));
        if first.code == -1 {
            killed += 1;
            assert!(first.stdout.is_empty(), "a summary before the end: {}", first.stdout);
            let bills = site.count("select count(*) from billing_data");
            let runs = site.count("select count(*) from oms_runs");
            let objects = site.count("select count(*) from oms_objects");
            // A crash does not separate the effects from the journal: they share one transaction.
            assert_eq!((bills, objects), (runs, runs), "after {place}:{count}");
            inside += u64::from(runs > 0 && runs < work.orders);
        }
        // Kill some of them twice.
        if at % 4 == 3 {
            run(&site, &work, Some((PLACES[0], 1 + count / 3)));
        }
        let last = run(&site, &work, None);
        assert_eq!(last.code, 0, "{place}:{count}: {}{}", last.stdout, last.stderr);
        let summary = last.json();
        let known =
            summary["completed"].as_i64().unwrap() + summary["duplicates"].as_i64().unwrap();
        assert_eq!(known - summary["resumed"].as_i64().unwrap(), work.orders, "{summary}");
        exactly_once(&site, work.orders);
        for (table, rows) in content(&site) {
            assert!(
                rows == expected[table],
                "{table}, killed at {place}:{count}: {}",
                difference(&expected[table], &rows)
            );
        }
        std::fs::remove_dir_all(&site.state).unwrap();
    }
    eprintln!(
        "{killed} of {kills} runs killed, {inside} of them between the first acceptance and the last completion; about {least} commits per run"
    );
    assert!(killed * 10 >= kills * 9, "only {killed} of {kills} runs were killed");
    assert!(
        inside * 4 >= kills * 3,
        "only {inside} of {kills} kills between the first acceptance and the last completion"
    );
}

/// Returns orders whose rate is missing, so that their runs are parked and can be retried.
fn parked(scratch: &Scratch) -> (TestPipeline, PathBuf) {
    let site = TestPipeline {
        pipeline: scratch.path("pipelines/storefront.yaml"),
        state: scratch.path("state"),
    };
    let order = |at: usize| {
        serde_json::json!({
            "order_id": format!("K-{at}"), "customer_id": "VINET", "placed_at": "2025-06-02T10:00:00Z", "currency": "VES",
            "amount": "10.00", "items": [], "shipping_country": "VE",
        })
    };
    let text: String = (0..40).map(|at| format!("{}\n", order(at))).collect();
    (site, scratch.write("orders.ndjson", text))
}

#[test]
fn a_kill_during_a_retry_repeats_no_completed_step() {
    let scratch = Scratch::with_pipelines();
    let (site, input) = parked(&scratch);
    let (code, summary) = site.run(&input);
    assert_eq!((code, &summary["parked"]), (1, &40.into()), "{summary}");
    let stored = rows(&site.connection(), "select * from oms_objects order by key");
    scratch.write(
        "pipelines/storefront/rates-extra.csv",
        "date,currency,per_eur\n2025-06-02,VES,110.5\n",
    );
    let retry = |kill: Option<String>| {
        let mut command =
            site.command(&["runs", "retry"], &["--cause", "no_rate", "--format", "json"]);
        if let Some(kill) = kill {
            command.env("OMS_FAILPOINT", kill);
        }
        finish(&mut command)
    };
    let mut killed = 0;
    for (at, place) in PLACES.iter().enumerate() {
        let output = retry(Some(format!("{place}:{}", at + 1)));
        // The runs that are still parked may need fewer commits than it takes to be killed.
        assert!(output.code == -1 || output.code == 0, "{}", output.stderr);
        killed += u32::from(output.code == -1);
        let bills = site.count("select count(*) from billing_data");
        let done = site.count("select count(*) from oms_runs where state = 'completed'");
        assert_eq!(bills, done);
        assert_eq!(site.count("select count(*) from oms_mails"), done);
    }
    assert!(killed > 0, "no retry was killed");
    // Runs that were retried before the crash continue by themselves; the others are still parked.
    site.call(&["run"], &["--format", "json"]);
    retry(None).exits(0);
    exactly_once(&site, 40);
    assert_eq!(rows(&site.connection(), "select * from oms_objects order by key"), stored);
}

#[test]
fn a_crashed_process_releases_the_state_directory() {
    let scratch = Scratch::new();
    let site = TestPipeline::storefront(scratch.path("state"));
    let mut command = site.command(&["run"], &["--samples"]);
    command.env("OMS_FAILPOINT", "before_commit:1").stdout(Stdio::null()).stderr(Stdio::null());
    assert_eq!(finish(&mut command).code, -1);
    assert!(site.state.join("oms.lock").exists());
    let output = site.call(&["run"], &["--samples", "--format", "json"]).exits(0);
    assert!(output.json()["completed"].as_u64().unwrap() > 0);
}

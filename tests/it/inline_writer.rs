//! A runner whose clock, random numbers and writer come from outside, as a simulation would provide
//! them. It starts no thread, and takes every timestamp from the given clock.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use oms_cli::DirectoryFiles;
use oms_engine::effects::{Clock, Io, Random};
use oms_engine::plan::Checker;
use oms_engine::step::Registry;
use oms_runtime::{Order, Runner, Settings, Work, WorkResult};
use oms_sqlite::WriterMode;
use tokio::sync::{mpsc, watch};

use crate::harness::Scratch;

const PIPELINE: &str = r#"oms: 1
name: inline
order:
  schema:
    type: object
    required: [id]
    properties:
      id: { type: string, maxLength: 20 }
  key: ${{ order.id }}
tables:
  seen:
    key: [id]
    columns: { id: text(20) }
steps:
  note: { uses: table.insert, with: { table: seen, row: { id: "${{ order.id }}" } } }
"#;

/// A clock that stands still, and a random number that never changes.
#[derive(Clone)]
struct FixedClock(Timestamp);

impl Clock for FixedClock {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn sleep(&self, _: Duration) -> Io<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

impl Random for FixedClock {
    fn next(&self) -> u64 {
        7
    }
}

#[test]
fn a_runner_works_without_threads_and_on_a_given_clock() {
    let scratch = Scratch::new();
    let (file, state) = (scratch.path("inline.yaml"), scratch.path("state"));
    std::fs::write(&file, PIPELINE).unwrap();
    let (files, name) = DirectoryFiles::of(&file);
    let registry = Registry::new(oms_steps::ALL.iter().copied()).unwrap();
    let checker = Arc::new(Checker::new(registry).unwrap());
    let plan = Arc::new(checker.check(&name, &files).plan.unwrap());
    let at: Timestamp = "2031-02-03T04:05:06Z".parse().unwrap();
    let settings = Settings { concurrency: 8, ..Settings::new(FixedClock(at)) };
    let subject = (&plan, &checker, name.as_str(), &files as _);
    let runner = Runner::open_with(&state, subject, settings, WriterMode::Inline).unwrap();
    let runner = Arc::new(runner);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let results = runtime.block_on(async {
        let (orders, queue) = mpsc::channel(10);
        for id in ["a", "b", "c", "b"] {
            let body = format!(r#"{{"id":"{id}"}}"#).into_bytes();
            let order =
                Order { name: id.to_owned(), body, name_must_equal_key: false, reply: None };
            orders.send(Work::Order(order)).await.unwrap();
        }
        drop(orders);
        let (results, mut received) = mpsc::unbounded_channel();
        let (_stop, stopped) = watch::channel(false);
        runner.run(Vec::new(), queue, &results, stopped).await.unwrap();
        drop(results);
        let mut results = Vec::new();
        while let Some(result) = received.recv().await {
            results.push(match result {
                WorkResult::Run { .. } => "run",
                WorkResult::Duplicate => "duplicate",
                _ => "other",
            });
        }
        results.sort_unstable();
        results
    });
    assert_eq!(results, ["duplicate", "run", "run", "run"]);
    if cfg!(target_os = "linux") {
        let threads = std::fs::read_dir("/proc/self/task").unwrap();
        let names =
            threads.map(|thread| std::fs::read_to_string(thread.unwrap().path().join("comm")));
        assert!(names.into_iter().flatten().all(|name| name.trim() != "oms-writer"));
    }
    Arc::into_inner(runner).unwrap().close().unwrap();
    let database = rusqlite::Connection::open(state.join("oms.db")).unwrap();
    let times = "select count(*) from oms_runs where accepted_at = ?1 and updated_at = ?1";
    let stamped: i64 = database.query_row(times, [at.as_millisecond()], |row| row.get(0)).unwrap();
    assert_eq!(stamped, 3, "a time stamp is not from the given clock");
}

//! Micro-benchmarks of the store: `cargo bench --bench store`.
//!
//! Each commit waits until it is on disk, so the results depend on the disk. For the throughput of
//! whole orders, use `cargo xtask bench`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use divan::Bencher;
use oms_cli::DirectoryFiles;
use oms_clock::SystemClock;
use oms_engine::effects::{Clock as _, RunState};
use oms_engine::plan::{Checker, Plan};
use oms_engine::step::Registry;
use oms_engine::value::{Digest, Value};
use oms_runtime::{Order, Runner, Settings, Work};
use oms_sqlite::{
    Database, Options, Outcome, Packet, Reads, RunRef, Store, StoredRun, Write, WriterMode,
};
use tokio::runtime::Runtime;
use tokio::sync::{mpsc, oneshot, watch};

const ORDER: &[u8] = include_bytes!("../../pipelines/storefront/samples/NW-10248.json");
/// Numbers of orders that are submitted at the same time.
const TOGETHER: &[usize] = &[1, 64];

fn main() {
    divan::main();
}

/// A state with one completed run.
struct State {
    store: Store,
    plan: Arc<Plan>,
    runtime: Runtime,
    /// The completed run.
    run: StoredRun,
    /// The row that its step `bill` has written.
    row: Value,
    next: AtomicU64,
    // Deleted last.
    _directory: tempfile::TempDir,
}

impl State {
    fn new() -> Self {
        let directory = tempfile::tempdir().expect("a folder can be created");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime starts");
        let plan = with_one_run(&runtime, directory.path());
        let database = Database::own(directory.path()).expect("the state exists");
        let options = Options { clock: Arc::new(SystemClock), writer: WriterMode::Thread };
        let store = Store::start(database, options).expect("the writer starts");
        let run = store.read(|reader| StoredRun::load(reader, 1)).expect("the run exists");
        let stored = oms_runtime::resume(&run, &plan).expect("the journal fits");
        let bill = plan.step("bill").expect("the step exists");
        let row = stored.scheduler.input(bill).expect("the step has run");
        let next = AtomicU64::new(0);
        Self { store, plan, runtime, run, row, next, _directory: directory }
    }

    /// Returns a packet that accepts an order under a new key, with the events and the object of the
    /// completed run.
    fn admission(&self) -> (Packet, oneshot::Receiver<Option<Outcome>>) {
        let key: Arc<str> = format!("B-{}", self.next.fetch_add(1, Ordering::Relaxed)).into();
        let write = Write::Object {
            bucket: "orders".into(),
            key: format!("{key}.json").into(),
            content_type: "application/json",
            body: None,
        };
        let digest = Digest::of(key.as_bytes());
        let (accepted_at, body) = (SystemClock.now().as_millisecond(), Arc::clone(&self.run.body));
        self.packet(
            RunRef::New { key, digest, reduced: None, accepted_at, body },
            &self.run.journal.concat(),
            write,
        )
    }

    /// Returns a packet that completes a step of the run with a row.
    fn step(&self) -> (Packet, oneshot::Receiver<Option<Outcome>>) {
        let tables = self.plan.tables().iter();
        let table = tables.into_iter().find(|table| &*table.name == "billing_data");
        let table = Arc::clone(table.expect("the table exists"));
        let write = Write::Upsert { table, row: self.row.clone() };
        let journal = self.run.journal.concat();
        let event = journal.lines().next().unwrap_or_default();
        self.packet(RunRef::Existing { id: 1 }, event, write)
    }

    fn packet(
        &self,
        run: RunRef,
        events: &str,
        write: Write,
    ) -> (Packet, oneshot::Receiver<Option<Outcome>>) {
        let (reply, outcome) = oneshot::channel();
        let packet = Packet {
            run,
            bundle: self.run.row.bundle,
            state: RunState::InProgress,
            wait_until: None,
            cause: None,
            caught: 0,
            failed_steps: Vec::new(),
            is_retry: false,
            now: SystemClock.now().as_millisecond(),
            events: events.to_owned(),
            writes: Arc::from([write]),
            reads: Arc::new(Reads::default()),
            turn: None,
            is_exported: false,
            lock: None,
            reply,
        };
        (packet, outcome)
    }

    /// Submits packets at the same time, and waits until all are committed.
    fn commit(&self, packets: Vec<(Packet, oneshot::Receiver<Option<Outcome>>)>) {
        self.runtime.block_on(async {
            let mut outcomes = Vec::with_capacity(packets.len());
            for (packet, outcome) in packets {
                self.store.submit(packet).await.expect("the writer works");
                outcomes.push(outcome);
            }
            for outcome in outcomes {
                let outcome = outcome.await.expect("the writer replies");
                assert!(matches!(outcome, Some(Outcome::Committed { .. })), "{outcome:?}");
            }
        });
    }
}

/// Runs one order of the storefront, so that a state has its bundle, its tables and a run.
fn with_one_run(runtime: &Runtime, directory: &Path) -> Arc<Plan> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (files, name) = DirectoryFiles::of(&root.join("pipelines/storefront.yaml"));
    let registry = Registry::new(oms_steps::ALL.iter().copied()).expect("the kinds are distinct");
    let checker = Arc::new(Checker::new(registry).expect("the schemas of the kinds are valid"));
    let plan = Arc::new(checker.check(&name, &files).plan.expect("the pipeline is valid"));
    let settings = Settings::new(SystemClock);
    let runner = Runner::open(directory, &plan, &checker, &name, &files, settings);
    let runner = Arc::new(runner.expect("the state is new"));
    runtime.block_on(async {
        let (orders, queue) = mpsc::channel(1);
        let order = Order {
            name: "NW-10248".to_owned(),
            body: ORDER.to_vec(),
            name_must_equal_key: false,
            reply: None,
        };
        orders.send(Work::Order(order)).await.expect("the queue is empty");
        drop(orders);
        let (settled, _outcomes) = mpsc::unbounded_channel();
        let (_stop, stopped) = watch::channel(false);
        runner.run(Vec::new(), queue, &settled, stopped).await.expect("the order runs");
    });
    Arc::into_inner(runner).expect("the runner has ended").close().expect("the state is closed");
    plan
}

/// Commits the acceptance of new orders, each with its object and its events.
#[divan::bench(args = TOGETHER)]
fn admit_orders(bencher: Bencher<'_, '_>, count: usize) {
    let state = State::new();
    bencher
        .counter(divan::counter::ItemsCount::new(count))
        .with_inputs(|| (0..count).map(|_| state.admission()).collect())
        .bench_local_values(|packets| state.commit(packets));
}

/// Commits a step that writes a row.
#[divan::bench]
fn commit_step(bencher: Bencher<'_, '_>) {
    let state = State::new();
    bencher.with_inputs(|| vec![state.step()]).bench_local_values(|packets| state.commit(packets));
}

/// Reads a run with its order and its journal.
#[divan::bench]
fn read_run(bencher: Bencher<'_, '_>) {
    let state = State::new();
    bencher.bench_local(|| state.store.read(|reader| StoredRun::load(reader, 1)).is_ok());
}

/// Restores the state of a run from its journal.
#[divan::bench]
fn resume_run(bencher: Bencher<'_, '_>) {
    let state = State::new();
    bencher.bench_local(|| oms_runtime::resume(&state.run, &state.plan).is_ok());
}

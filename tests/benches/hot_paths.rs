//! Micro-benchmarks of checking pipelines and processing orders: `cargo bench --bench hot_paths`.
//!
//! They show which part became slower. For the throughput of whole orders, use
//! `cargo xtask bench`.

use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;

use divan::Bencher;
use jiff::Timestamp;
use oms_cli::DirectoryFiles;
use oms_engine::expression::{Compiled, Env, Root, Scope, compile};
use oms_engine::plan::{Checker, Plan};
use oms_engine::run::{Rehearsal, accept};
use oms_engine::step::Registry;
use oms_engine::time_zone::TimeZone;

const ORDER: &[u8] = include_bytes!("../../pipelines/storefront/samples/NW-10248.json");

fn main() {
    divan::main();
}

fn files() -> (DirectoryFiles, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    DirectoryFiles::of(&root.join("pipelines/storefront.yaml"))
}

fn checker() -> Checker {
    let registry = Registry::new(oms_steps::ALL.iter().copied()).expect("the kinds are distinct");
    Checker::new(registry).expect("the schemas of the kinds are valid")
}

fn plan() -> Arc<Plan> {
    let (files, name) = files();
    Arc::new(checker().check(&name, &files).plan.expect("the pipeline is valid"))
}

/// Checks a pipeline file with its schema, rates and templates.
#[divan::bench]
fn check_pipeline(bencher: Bencher<'_, '_>) {
    let (checker, (files, name)) = (checker(), files());
    bencher.bench(|| checker.check(&name, &files));
}

/// Reads an order as a typed value and computes its canonical bytes.
#[divan::bench]
fn read_order(bencher: Bencher<'_, '_>) {
    let plan = plan();
    bencher.bench(|| plan.order().schema().read(black_box(ORDER)));
}

/// Accepts an order: reads it, evaluates its key, creates the run.
#[divan::bench]
fn accept_order(bencher: Bencher<'_, '_>) {
    let plan = plan();
    bencher.bench(|| accept(&plan, black_box(ORDER), "NW-10248", Timestamp::UNIX_EPOCH));
}

/// Evaluates an expression over a list.
#[divan::bench]
fn evaluate_expression(bencher: Bencher<'_, '_>) {
    let plan = plan();
    let schema = plan.order().schema();
    let mut scope = Scope::new(TimeZone::UTC);
    scope.define(Root::Order, schema.ty().clone());
    let text = "sum(order.items.map(line, line.unit_price * line.quantity)) > 100.0";
    let compiled: Compiled = compile(text, &scope).expect("the expression is valid");
    let order = schema.read(ORDER).expect("the order is valid").value;
    bencher.bench(|| compiled.eval(&Env { order: &order, ..Env::empty() }));
}

/// Runs all steps of an order in memory, including the e-mail.
#[divan::bench]
fn run_order_in_memory(bencher: Bencher<'_, '_>) {
    let (plan, (files, _)) = (plan(), files());
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts");
    bencher
        .with_inputs(|| {
            Rehearsal::new(&plan, &files, Timestamp::UNIX_EPOCH).expect("the seeds are valid")
        })
        .bench_local_values(|rehearsal| runtime.block_on(rehearsal.run(ORDER, "NW-10248")).is_ok());
}

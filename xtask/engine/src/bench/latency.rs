//! Single orders, one after another: the time until an order is durably acknowledged and complete.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use oms_clock::SystemClock;
use oms_runtime::{Order, Runner, Settings, Work, WorkResult};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::single_thread::{Prepared, prepare};
use super::stopwatch::{Distribution, Stopwatch};
use super::workload::Workload;

/// Number of measured orders.
const ORDERS: usize = 200;
/// Number of orders before the measurement, which warm up caches.
const WARM_UP: usize = 20;

/// The time for one order.
#[derive(Serialize)]
pub(crate) struct Latency {
    /// From submitting the order to the report that it is complete and on disk. A run that never
    /// waits is acknowledged and complete in the same commit, so this measures both.
    acknowledged_and_complete: Distribution,
}

/// Runs orders one by one in a state directory.
pub(crate) fn measure(workload: &Workload, state: &Path) -> anyhow::Result<Latency> {
    let Prepared { checker, plan, files, name } = prepare(workload)?;
    let settings = Settings { concurrency: 1_024, ..Settings::new(SystemClock) };
    let runner = Arc::new(Runner::open(state, &plan, &checker, &name, &files, settings)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let seconds = runtime.block_on(one_by_one(&runner, workload))?;
    drop(runtime);
    Arc::into_inner(runner).context("a run is still in progress")?.close()?;
    Ok(Latency { acknowledged_and_complete: Distribution::of(seconds) })
}

async fn one_by_one(runner: &Arc<Runner>, workload: &Workload) -> anyhow::Result<Vec<f64>> {
    let (orders, queue) = mpsc::channel(1);
    let (settled, mut outcomes) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let working = Arc::clone(runner);
    let work = tokio::spawn(async move { working.run(Vec::new(), queue, &settled, stopped).await });
    let mut seconds = Vec::with_capacity(ORDERS);
    for (line, order) in workload.orders.iter().cycle().take(WARM_UP + ORDERS).enumerate() {
        let (name, body) = (format!("one-{line}"), order.clone().into_bytes());
        let order = Work::Order(Order { name, body, name_must_equal_key: false, reply: None });
        let watch = Stopwatch::start();
        orders.send(order).await.context("the runner accepts no orders")?;
        let outcome = outcomes.recv().await.context("the runner reported no result")?;
        if line >= WARM_UP && matches!(outcome, WorkResult::Run { .. }) {
            seconds.push(watch.seconds());
        }
    }
    drop(orders);
    work.await??;
    Ok(seconds)
}

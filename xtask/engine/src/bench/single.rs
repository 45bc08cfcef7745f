//! Single orders, one after another: the time until the durable acknowledgement, and until
//! completion.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use oms_clock::SystemClock;
use oms_runtime::{Order, Runner, Settings, Settled, Work};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::alone::{Prepared, prepare};
use super::material::Material;
use super::stopwatch::{Spread, Stopwatch};

/// Number of measured orders.
const ORDERS: usize = 200;
/// Number of orders before the measurement, which warm up caches.
const WARM_UP: usize = 20;

/// The time for one order.
#[derive(Serialize)]
pub(crate) struct Single {
    /// From submitting the order to the report that it is complete and on disk. A run that never
    /// waits is acknowledged and complete in the same commit, so this measures both.
    acknowledged_and_complete: Spread,
}

/// Runs orders one by one in a state directory.
pub(crate) fn measure(material: &Material, state: &Path) -> anyhow::Result<Single> {
    let Prepared { checker, plan, files, name } = prepare(material)?;
    let settings = Settings { concurrency: 1_024, ..Settings::new(SystemClock) };
    let runner = Arc::new(Runner::open(state, &plan, &checker, &name, &files, settings)?);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let seconds = runtime.block_on(one_by_one(&runner, material))?;
    drop(runtime);
    Arc::into_inner(runner).context("a run is still in progress")?.close()?;
    Ok(Single { acknowledged_and_complete: Spread::of(seconds) })
}

async fn one_by_one(runner: &Arc<Runner>, material: &Material) -> anyhow::Result<Vec<f64>> {
    let (orders, queue) = mpsc::channel(1);
    let (settled, mut outcomes) = mpsc::unbounded_channel();
    let (_stop, stopped) = watch::channel(false);
    let working = Arc::clone(runner);
    let work = tokio::spawn(async move { working.run(Vec::new(), queue, &settled, stopped).await });
    let mut seconds = Vec::with_capacity(ORDERS);
    for (line, order) in material.orders.iter().cycle().take(WARM_UP + ORDERS).enumerate() {
        let (name, body) = (format!("one-{line}"), order.clone().into_bytes());
        let order = Work::Order(Order { name, body, named: false, answer: None });
        let watch = Stopwatch::start();
        orders.send(order).await.context("the runner accepts no orders")?;
        let outcome = outcomes.recv().await.context("the runner reported no result")?;
        if line >= WARM_UP && matches!(outcome, Settled::Run { .. }) {
            seconds.push(watch.seconds());
        }
    }
    drop(orders);
    work.await??;
    Ok(seconds)
}

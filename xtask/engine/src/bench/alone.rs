//! The computing parts of a run, measured separately on one thread without a disk.

use std::sync::Arc;

use anyhow::Context as _;
use oms_cli::DirectoryFiles;
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::plan::{Checker, Plan};
use oms_engine::run::{Rehearsal, RunState, accept, advance};
use oms_engine::step::Registry;
use oms_engine::template::Template;
use oms_engine::value::Value;
use serde::Serialize;

use super::material::Material;
use super::stopwatch::Stopwatch;

/// Maximum number of measured orders: enough for a stable result.
const ORDERS_MAX: usize = 10_000;

/// Throughput of one thread.
#[derive(Serialize)]
pub(crate) struct Alone {
    /// Orders that were parsed, validated and given a key.
    pub(crate) parse_per_second: f64,
    /// E-mails that were rendered: subject, text and HTML.
    pub(crate) render_per_second: f64,
    /// Whole runs in memory.
    pub(crate) memory_per_second: f64,
}

/// A checked pipeline and its checker.
pub(crate) struct Prepared {
    pub(crate) checker: Arc<Checker>,
    pub(crate) plan: Arc<Plan>,
    pub(crate) files: DirectoryFiles,
    pub(crate) name: String,
}

/// Checks the measured pipeline.
pub(crate) fn prepare(material: &Material) -> anyhow::Result<Prepared> {
    let registry = Registry::new(oms_steps::ALL.iter().copied())?;
    let checker = Arc::new(Checker::new(registry)?);
    let (files, name) = DirectoryFiles::of(&material.pipeline);
    let plan = checker.check(&name, &files).plan.context("the pipeline is not valid")?;
    Ok(Prepared { checker, plan: Arc::new(plan), files, name })
}

/// Measures parsing, rendering and running.
pub(crate) fn measure(material: &Material) -> anyhow::Result<Alone> {
    let prepared = prepare(material)?;
    let plan = &prepared.plan;
    let now = SystemClock.now();
    let rehearsal = Rehearsal::new(plan, &prepared.files, now)?;
    let world = rehearsal.world();
    let orders: Vec<&String> = material.orders.iter().take(ORDERS_MAX).collect();

    let watch = Stopwatch::start();
    let mut runs = Vec::with_capacity(orders.len());
    for (line, order) in orders.iter().enumerate() {
        let run = accept(plan, order.as_bytes(), &format!("bench-{line}"), now);
        runs.push(
            run.map_err(|rejection| anyhow::anyhow!("an order was rejected: {rejection:?}"))?,
        );
    }
    let parse_per_second = watch.rate(runs.len());

    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let watch = Stopwatch::start();
    for run in &mut runs {
        let progress = runtime.block_on(advance(run, world));
        let done = progress.state == RunState::Completed;
        anyhow::ensure!(done, "an order did not complete: {:?}", run.scheduler.failures().next());
    }
    let memory_per_second = watch.rate(runs.len());

    let (step, template) = mail(&prepared)?;
    let inputs: Vec<Value> = runs.iter().filter_map(|run| run.scheduler.input(step)).collect();
    let watch = Stopwatch::start();
    for input in &inputs {
        let field = |name| input.as_record().and_then(|record| record.get(name));
        let locale = match field("locale") {
            Some(Value::Text(locale)) => Some(locale.as_ref()),
            _ => None,
        };
        template.render(field("data").context("the e-mail has no data")?, locale)?;
    }
    let render_per_second = watch.rate(inputs.len());
    Ok(Alone { parse_per_second, render_per_second, memory_per_second })
}

/// Returns the position of the step that sends the e-mail, and its template.
fn mail(prepared: &Prepared) -> anyhow::Result<(usize, Template)> {
    let steps = prepared.plan.steps();
    let step = steps.iter().position(|step| step.kind == "email.send");
    let step = step.context("the pipeline sends no e-mail")?;
    let effect = steps.get(step).and_then(|step| step.effects.first());
    let name = &effect.context("the e-mail has no effect")?.resource;
    let settings = prepared.plan.mail().context("the pipeline sends no e-mail")?;
    let template = Template::load(
        &prepared.files,
        &settings.templates,
        name,
        &settings.locale,
        &settings.time_zone,
    )
    .map_err(|problems| anyhow::anyhow!("the template cannot be used: {problems:?}"))?;
    Ok((step, template))
}

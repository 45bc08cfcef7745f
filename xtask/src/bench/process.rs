//! Measuring the program from outside: a run of many orders, its start, and the validation of a large pipeline.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::material::Material;
use super::stopwatch::{Spread, Stopwatch};

/// How often the memory of a running program is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How often a short call is repeated.
const CALLS: usize = 50;
/// Steps of the large pipeline: as many as one may have.
const STEPS: usize = 500;

/// A run of many orders.
#[derive(Serialize)]
pub(crate) struct Run {
    /// By the program's own account: from the first read to the last commit.
    pub(crate) orders_per_second: f64,
    /// From the program's start to its end.
    seconds: f64,
    /// Its largest resident memory; nothing where the system does not say.
    peak_rss_bytes: Option<u64>,
    /// What it says of itself.
    summary: Json,
}

/// Runs all orders on a new state directory.
pub(crate) fn run(program: &Path, material: &Material, state: &Path) -> anyhow::Result<Run> {
    let watch = Stopwatch::start();
    let mut child = Command::new(program)
        .arg("run")
        .arg(&material.pipeline)
        .args(["--format", "json", "--state-dir"])
        .arg(state)
        .arg("--input")
        .arg(&material.input)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .context("`oms` cannot be started")?;
    let mut peak_rss_bytes = None;
    while child.try_wait()?.is_none() {
        // The system keeps the peak itself, so only what happens after the last look is missed.
        peak_rss_bytes = peak_rss(child.id()).or(peak_rss_bytes);
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output()?;
    let seconds = watch.seconds();
    let summary: Json =
        serde_json::from_slice(&output.stdout).context("`oms run` gave no summary")?;
    let orders_per_second = summary["orders_per_second"].as_f64().unwrap_or_default();
    Ok(Run { orders_per_second, seconds, peak_rss_bytes, summary })
}

fn peak_rss(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Returns how long it takes from a call to its whole answer.
pub(crate) fn starts(program: &Path, pipeline: &Path) -> anyhow::Result<Json> {
    let pipeline = pipeline.to_string_lossy();
    Ok(json!({
        "version": calls(program, &["--version"])?,
        "validate_small": calls(program, &["validate", &pipeline])?,
    }))
}

fn calls(program: &Path, arguments: &[&str]) -> anyhow::Result<Spread> {
    let mut seconds = Vec::with_capacity(CALLS);
    for _ in 0..CALLS {
        let watch = Stopwatch::start();
        let output = Command::new(program).args(arguments).output()?;
        seconds.push(watch.seconds());
        anyhow::ensure!(output.status.success(), "`oms {}` failed", arguments.join(" "));
    }
    Ok(Spread::of(seconds))
}

/// Returns how long the validation of a pipeline takes that is as large as one may be.
pub(crate) fn large_pipeline(program: &Path, folder: &Path) -> anyhow::Result<Spread> {
    let mut steps = Map::new();
    for position in 0..STEPS {
        // Chains of ten, each beginning with the order, so that the graph is neither a line nor a heap.
        let amount = if position % 10 == 0 {
            "order.amount".to_owned()
        } else {
            format!("steps.s{:03}.total", position - 1)
        };
        let step = if position % 10 == 9 {
            let row = json!({ "id": format!("{position}-${{{{ run.key }}}}"), "amount": format!("${{{{ {amount} }}}}") });
            json!({ "uses": "table.insert", "with": { "table": "totals", "row": row } })
        } else {
            let total = format!(
                "${{{{ {amount} + {position} > 0 ? round({amount}, 2, \"half_even\") : {amount} }}}}"
            );
            json!({ "uses": "value.compute", "with": { "values": { "total": total } } })
        };
        steps.insert(format!("s{position:03}"), step);
    }
    let order = json!({
        "type": "object", "required": ["id", "amount"],
        "properties": { "id": { "type": "string" }, "amount": { "type": "string", "format": "decimal" } },
    });
    let pipeline = json!({
        "oms": 1, "name": "large",
        "order": { "schema": order, "key": "${{ order.id }}" },
        "tables": { "totals": { "key": ["id"], "columns": { "id": "text", "amount": "decimal(28,4)" } } },
        "steps": steps,
    });
    let path = folder.join("large.yaml");
    fs::write(&path, serde_yaml::to_string(&pipeline)?)?;
    calls(program, &["validate", &path.to_string_lossy()])
}

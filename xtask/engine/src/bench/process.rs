//! Measurements of the program from outside: a run of many orders, its start, and the validation of
//! a large pipeline.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::material::Material;
use super::stopwatch::{Spread, Stopwatch};

/// Interval at which the memory of a running program is read.
const LOOK: Duration = Duration::from_millis(10);
/// Number of repetitions of a short call.
const CALLS: usize = 50;
/// Number of steps of the large pipeline: the maximum.
const STEPS: usize = 500;

/// A run of many orders.
#[derive(Serialize)]
pub(crate) struct Run {
    /// As reported by the program: from the first read to the last commit.
    pub(crate) orders_per_second: f64,
    /// From the start of the program to its end.
    seconds: f64,
    /// The peak resident memory; `None` if the system does not report it.
    peak_rss_bytes: Option<u64>,
    /// The program's summary.
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
        // The system records the peak itself, so only changes after the last read are missed.
        peak_rss_bytes = peak_rss(child.id()).or(peak_rss_bytes);
        std::thread::sleep(LOOK);
    }
    let output = child.wait_with_output()?;
    let seconds = watch.seconds();
    let summary: Json =
        serde_json::from_slice(&output.stdout).context("`oms run` printed no summary")?;
    let orders_per_second = summary["orders_per_second"].as_f64().unwrap_or_default();
    Ok(Run { orders_per_second, seconds, peak_rss_bytes, summary })
}

fn peak_rss(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

/// Returns the durations of complete calls.
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

/// Returns the durations of validating a pipeline of the maximum size.
pub(crate) fn large_pipeline(program: &Path, folder: &Path) -> anyhow::Result<Spread> {
    let mut steps = Map::new();
    for position in 0..STEPS {
        // Chains of ten steps that each begin with the order, so that the graph is neither a line
        // nor flat.
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

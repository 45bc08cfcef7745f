//! `cargo xtask bench`: measures throughput, the size of stored data, and the distance to the
//! limits of the machine. It prints one JSON object, without a pass or fail result.

mod latency;
mod limits;
mod mail;
mod process;
mod single_thread;
mod stopwatch;
mod workload;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::{Value as Json, json};

use workload::Workload;
use xtask::workspace::{root, say, scratch};

/// Measure runs of many orders and of single orders, and the limits of the machine
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Orders per pipeline
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u32).range(1..))]
    orders: u32,
}

/// The measured pipelines.
const PIPELINES: [&str; 2] = ["order-management", "storefront"];

/// Measures the optimized programs in the folder of this one.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let orders = args.orders as usize;
    let here = std::env::current_exe().context("the path of this program is unknown")?;
    let program = here.with_file_name(format!("oms{}", std::env::consts::EXE_SUFFIX));
    anyhow::ensure!(program.exists(), "`{}` is not built", program.display());
    let folder = scratch("bench");
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    let mut pipelines = serde_json::Map::new();
    for name in PIPELINES {
        pipelines.insert(name.to_owned(), pipeline(name, orders, &program, &folder)?);
    }
    say("measuring start and validation");
    let result = json!({
        "format_version": 1,
        "machine": { "cores": std::thread::available_parallelism().map_or(0, usize::from) },
        "optimized": !cfg!(debug_assertions),
        "pipelines": pipelines,
        "mail": mail::measure()?,
        "start": process::starts(&program, &root().join("pipelines/order-management.yaml"))?,
        "validate_500_steps": process::large_pipeline(&program, &folder)?,
        "files": limits::files(&folder)?,
    });
    let answer = serde_json::to_string_pretty(&result)? + "\n";
    std::io::Write::write_all(&mut std::io::stdout(), answer.as_bytes())?;
    Ok(())
}

fn pipeline(name: &str, orders: usize, program: &Path, folder: &Path) -> anyhow::Result<Json> {
    say(&format!("measuring {name}: {orders} orders"));
    let workload = Workload::create(name, orders, folder)?;
    let state: PathBuf = folder.join(format!("{name}-state"));
    let run = process::run(program, &workload, &state)?;
    let disk = limits::disk(&state, &workload)?;
    let sqlite = limits::sqlite(&state, orders, &folder.join(format!("{name}-limit.db")))?;
    let single_thread = single_thread::measure(&workload)?;
    let latency = latency::measure(&workload, &folder.join(format!("{name}-single")))?;
    let ratios = json!({
        "to_sqlite": ratio(run.orders_per_second, sqlite.orders_per_second),
        "to_parse": ratio(run.orders_per_second, single_thread.parse_per_second),
        "to_render": ratio(run.orders_per_second, single_thread.render_per_second),
        "to_memory": ratio(run.orders_per_second, single_thread.memory_per_second),
        "disk_to_payload": ratio(disk.bytes_per_order, disk.payload_bytes_per_order),
    });
    // The limits are measured with the rows of this state, so it is deleted only now.
    std::fs::remove_dir_all(&state)?;
    Ok(json!({
        "run": run, "disk": disk, "single": latency,
        "limits": { "sqlite": sqlite, "alone": single_thread },
        "ratios": ratios,
    }))
}

/// Returns `reached` divided by `limit`, or 0 without a measurement.
fn ratio(reached: f64, limit: f64) -> f64 {
    if limit > 0.0 { (reached / limit * 1000.0).round() / 1000.0 } else { 0.0 }
}

//! `cargo xtask serve`: tests `oms serve` from outside: hostile clients and mail servers, overload,
//! kills under load, conformance with its OpenAPI description, and its console in a browser.

use crate::browser;
use crate::debian;
use crate::npm;
use xtask::python;
use xtask::workspace::{build, root, run as execute, say, scratch, variable};

/// Test the server with malformed, slow, concurrent and killed clients, and its console in Chromium
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Measure the throughput, latency and memory of an optimized build instead, without a
    /// pass or fail result
    #[arg(long)]
    load: bool,
    /// Minutes of steady load at the end of a measurement, at about half the maximum throughput
    #[arg(long, default_value_t = 0, requires = "load")]
    steady: u32,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if args.load { load(args.steady) } else { check() }
}

/// Runs all tests. Without Python or Chromium, they are skipped with a message; in CI that is an
/// error.
pub(crate) fn check() -> anyhow::Result<()> {
    let oms = build()?;
    if let Some(environment) = python::environment(python::SERVE)? {
        let python = environment.join("bin/python3");
        let python = python.to_string_lossy();
        let corpus = variable("OMS_SHARED").map(|shared| format!("{shared}/data"));
        if corpus.is_none() {
            say("skipped: the orders of the large test data, because OMS_SHARED is not set");
        }
        let corpus = corpus.as_deref().map(|corpus| vec!["--corpus", corpus]).unwrap_or_default();
        let programs: [(&str, Vec<&str>); 11] = [
            ("hostile.py", corpus),
            ("overload.py", vec![]),
            // For a manual run, use ten thousand.
            ("crowd.py", vec!["--connections", "2000"]),
            ("attacks_http.py", vec![]),
            ("attacks_mail.py", vec![]),
            ("full_disk.py", vec![]),
            // For a manual run, use twenty.
            ("kill.py", vec!["--times", "5"]),
            // For a manual run, use two hundred.
            ("serial.py", vec!["--rounds", "3"]),
            ("contract.py", vec![]),
            ("webhooks.py", vec![]),
            // For a manual run, use two hundred.
            ("damaged.py", vec!["--copies", "8"]),
        ];
        for (program, more) in programs {
            let program = format!("tests/serve/{program}");
            execute(&python, &[&[program.as_str(), "--oms", oms], &more[..]].concat())?;
        }
        standards(&python, oms)?;
    }
    console(oms)
}

/// Checks the metrics with Debian's `promtool` and the OpenAPI document with npm's `@redocly/cli`,
/// if they can be installed.
fn standards(python: &str, oms: &str) -> anyhow::Result<()> {
    let mut words = vec!["tests/serve/standards.py", "--oms", oms];
    if debian::installed("promtool", &["--version"], &["prometheus"]) {
        words.extend(["--promtool", "promtool"]);
    } else {
        let ci = variable("CI").is_some_and(|value| value == "true");
        anyhow::ensure!(!ci, "the check of the metrics needs promtool");
        say("skipped: promtool, because it is missing and could not be installed");
    }
    let linter = npm::package("the linter of the OpenAPI document", "@redocly/cli", "2.77.0")?;
    let linter = linter.map(|folder| folder.join("node_modules/.bin/redocly"));
    let linter = linter.as_ref().map(|linter| linter.to_string_lossy());
    words.extend(linter.iter().flat_map(|linter| ["--redocly", linter]));
    execute(python, &words)
}

fn console(oms: &str) -> anyhow::Result<()> {
    let Some(driver) = browser::driver()? else { return Ok(()) };
    let axe = npm::package("the console test", "axe-core", "4.14.1")?;
    let Some(axe) = axe.map(|folder| folder.to_string_lossy().into_owned()) else {
        return Ok(());
    };
    let script = root().join("tests/browser/console.mjs");
    let (script, shots) = (script.to_string_lossy(), scratch("browser").join("console"));
    let (root, shots) = (root().to_string_lossy(), shots.to_string_lossy());
    execute("node", &[&script, &driver, &axe, oms, &root, &shots])
}

fn load(steady: u32) -> anyhow::Result<()> {
    // `wrk --version` exits with a failure, so look for the program instead.
    let is_there = debian::installed("sh", &["-c", "command -v wrk"], &["wrk"]);
    anyhow::ensure!(is_there, "the measurement needs wrk");
    execute("cargo", &["build", "--release"])?;
    let orders =
        variable("OMS_SHARED").map(|shared| format!("{shared}/data/orders/orders-sample.ndjson"));
    let minutes = steady.to_string();
    for pipeline in ["storefront", "order-management"] {
        let mut words =
            vec!["tests/serve/load.py", "--oms", "target/release/oms", "--pipeline", pipeline];
        words.extend(orders.iter().flat_map(|orders| ["--orders", orders]));
        words.extend(["--steady", &minutes]);
        execute("python3", &words)?;
    }
    Ok(())
}

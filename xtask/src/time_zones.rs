//! `cargo xtask time-zones`: compares the dates of timestamps with Python's `zoneinfo`.

use xtask::python;
use xtask::workspace::{build, run as execute};

/// Compare `date(t, zone)` with Python's zoneinfo, around every offset change from 2024 to 2030
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    check()
}

/// Runs the comparison. Without Python, it is skipped with a message; in CI that is an error.
pub(crate) fn check() -> anyhow::Result<()> {
    let Some(environment) = python::environment(python::TIME_ZONES)? else { return Ok(()) };
    let oms = build()?;
    let python = environment.join("bin/python3");
    let script = ["tests/time_zones/compare.py", "--oms", oms];
    execute(&python.to_string_lossy(), &script)
}

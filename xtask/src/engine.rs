//! Runs `xtask-engine`, which has the tasks that use the engine.

use std::ffi::OsString;
use std::path::Path;

use anyhow::Context as _;
use xtask::workspace::{build, command, run as execute};

/// The arguments of a task, which `xtask-engine` reads.
#[derive(clap::Args)]
#[command(disable_help_flag = true)]
pub(crate) struct Args {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

/// Builds the workspace and runs a task.
pub(crate) fn run(task: &str, args: &Args) -> anyhow::Result<()> {
    build()?;
    task_of(Path::new("target/debug/xtask-engine"), task, args)
}

/// Runs a task of the optimized program. Like `oms`, it is built with the default features.
pub(crate) fn run_optimized(task: &str, args: &Args) -> anyhow::Result<()> {
    execute("cargo", &["build", "--release", "-p", "oms", "-p", "xtask-engine"])?;
    task_of(Path::new("target/release/xtask-engine"), task, args)
}

/// Runs a task with the arguments that CI uses.
pub(crate) fn check(arguments: &[&str]) -> anyhow::Result<()> {
    build()?;
    execute("target/debug/xtask-engine", arguments)
}

fn task_of(program: &Path, task: &str, args: &Args) -> anyhow::Result<()> {
    let status = command(&program.to_string_lossy(), &[task])
        .args(&args.arguments)
        .status()
        .with_context(|| format!("`{}` cannot be started", program.display()))?;
    anyhow::ensure!(status.success(), "`{task}` failed");
    Ok(())
}

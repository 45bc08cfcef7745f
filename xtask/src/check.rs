//! `cargo xtask check`: runs the checks that CI runs, except the one for security advisories.

use std::time::Instant;

use xtask::python;
use xtask::workspace::{FEATURES, build_once, has, lint_builds, run as execute, say};

use crate::background::Background;
use crate::passed::Inputs;
use crate::{browser, debian, editor, engine, mails, serve, time_zones, workflows};

/// Run every check of the project
///
/// Checks that passed before are skipped if no file has changed since. The lints, the build and the
/// tests always run.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Skip nothing
    #[arg(long)]
    all: bool,
}

type Check = fn() -> anyhow::Result<()>;

/// The checks that are also separate commands, in the order of execution.
const PARTS: [(&str, Check); 9] = [
    ("generate --check", || engine::check(&["generate", "--check"])),
    ("workflows", workflows::check),
    ("editor", editor::check),
    ("mails", mails::check),
    ("schema", || engine::check(&["schema"])),
    ("time-zones", time_zones::check),
    ("fuzz", || engine::check(&["fuzz"])),
    ("browser", browser::check),
    ("serve", serve::check),
];
/// The check that takes longest. It mostly compiles, while others wait for deadlines.
const LONGEST: &str = "lambda";

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    tracer();
    database();
    python::environment(python::SERVERS)?;
    execute("cargo", &["fmt", "--all", "--check"])?;
    lint_builds()?;
    // Built first, so that the duration of a check does not include the build.
    timed("the build with clippy", build_once)?;
    let inputs = Inputs::now();
    let lambda =
        if skips(args, &inputs, LONGEST) { None } else { Some(Background::start(LONGEST)?) };
    let parts = parts(args);
    // Also after a failure, so that no process is left.
    let lambda = lambda.map_or(Ok(false), |lambda| lambda.wait().map(|()| true));
    parts?;
    if lambda? {
        inputs.record(LONGEST);
    }
    if has("cargo", &["deny", "--version"]) {
        // The workflow `check.yml` checks advisories, whose database is on GitHub only.
        execute("cargo", &["deny", "check", "bans", "licenses", "sources"])?;
    } else {
        say("skipped: `cargo deny check`, because cargo-deny is not installed");
    }
    // With the same features as everything else, so that nothing is built twice.
    execute("cargo", &[&["test", "--quiet", "--doc", "--workspace"][..], &FEATURES].concat())?;
    // The tests come last, so that their summary is the last output.
    let tests: &[&str] = if has("cargo", &["nextest", "--version"]) {
        &["nextest", "run", "--workspace"]
    } else {
        &["test", "--workspace"]
    };
    execute("cargo", &[tests, &FEATURES].concat())
}

fn parts(args: &Args) -> anyhow::Result<()> {
    for (name, check) in PARTS {
        let inputs = Inputs::now();
        if !skips(args, &inputs, name) {
            say(&format!("$ cargo xtask {name}"));
            timed(name, check)?;
            inputs.record(name);
        }
    }
    Ok(())
}

/// Returns whether a check passed before and no file has changed since, and reports it.
fn skips(args: &Args, inputs: &Inputs, name: &str) -> bool {
    let skips = !args.all && inputs.passed(name);
    if skips {
        say(&format!("{name}: passed before, and no file has changed; `--all` runs it again"));
    }
    skips
}

/// Prints the duration of a part, so that slow parts are noticed.
#[expect(clippy::disallowed_methods, reason = "the time is only printed")]
fn timed(name: &str, check: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let begun = Instant::now();
    check()?;
    say(&format!("{name} took {} s", begun.elapsed().as_secs()));
    Ok(())
}

/// Installs PostgreSQL from Debian if possible. Without it, its tests report that they are skipped;
/// in CI that is an error.
fn database() {
    let there = std::fs::read_dir("/usr/lib/postgresql").is_ok();
    if !there && !debian::installed("psql", &["--version"], &["postgresql"]) {
        say("PostgreSQL is missing and could not be installed; its tests will be skipped");
    }
}

/// Installs `strace` from Debian if possible, for the tests that observe when data is written to
/// disk. Without it, these tests report that they are skipped.
fn tracer() {
    if !debian::installed("strace", &["--version"], &["strace"]) {
        say("strace is missing and could not be installed; the tests that use it will be skipped");
    }
}

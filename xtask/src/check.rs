//! `cargo xtask check`: everything that CI runs, and nothing that CI runs is missing here.

use std::time::Instant;

use crate::workspace::{FEATURES, has, run as execute, say};
use crate::{
    browser, debian, editor, generate, lambda, mails, python, schema, serve, time_zones, workflows,
};

/// Run every check of the project
#[derive(clap::Args)]
pub(crate) struct Args {}

type Check = fn() -> anyhow::Result<()>;

/// The checks with their own command, in the order of execution.
const PARTS: [(&str, Check); 9] = [
    ("generate --check", generate::check),
    ("workflows", workflows::check),
    ("editor", editor::check),
    ("mails", mails::check),
    ("schema", schema::check),
    ("time-zones", time_zones::check),
    ("browser", browser::check),
    ("serve", serve::check),
    ("lambda", lambda::check),
];

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    tracer();
    database();
    python::environment(python::SERVERS)?;
    execute("cargo", &["fmt", "--all", "--check"])?;
    let lints = ["--", "-D", "warnings"];
    timed("clippy", || {
        let clippy = ["clippy", "--workspace", "--all-targets"];
        execute("cargo", &[&clippy[..], &FEATURES, &lints].concat())
    })?;
    // Built first, so that the time of a check does not include the build.
    timed("the build", || {
        execute("cargo", &[&["build", "--workspace", "--all-targets"][..], &FEATURES].concat())
    })?;
    for (name, check) in PARTS {
        say(&format!("$ cargo xtask {name}"));
        timed(name, check)?;
    }
    if has("cargo", &["deny", "--version"]) {
        // The workflow `check.yml` checks advisories, whose database is on GitHub only.
        execute("cargo", &["deny", "check", "bans", "licenses", "sources"])?;
    } else {
        say("skipped: `cargo deny check`, since cargo-deny is not installed");
    }
    // With the features of everything else, so that nothing is built a second time.
    execute("cargo", &[&["test", "--quiet", "--doc", "--workspace"][..], &FEATURES].concat())?;
    // The tests come last, so that their summary is the last thing that is read.
    let tests: &[&str] = if has("cargo", &["nextest", "--version"]) {
        &["nextest", "run", "--workspace"]
    } else {
        &["test", "--workspace"]
    };
    execute("cargo", &[tests, &FEATURES].concat())
}

/// Prints how long a part took, so that a slow part is noticed.
#[expect(clippy::disallowed_methods, reason = "the time is shown, and decides nothing")]
fn timed(name: &str, check: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    let begun = Instant::now();
    check()?;
    say(&format!("{name} took {} s", begun.elapsed().as_secs()));
    Ok(())
}

/// Gets PostgreSQL from Debian, where that is possible. Without it its tests say that they were skipped, but not in CI.
fn database() {
    let there = std::fs::read_dir("/usr/lib/postgresql").is_ok();
    if !there && !debian::installed("psql", &["--version"], &["postgresql"]) {
        say("PostgreSQL is not there and could not be installed; its tests will be skipped");
    }
}

/// Gets `strace` from Debian, where that is possible, for the test that sees what is on disk before it is acknowledged. Without it that
/// test says that it was skipped.
fn tracer() {
    if !debian::installed("strace", &["--version"], &["strace"]) {
        say("strace is not there and could not be installed; one test will be skipped");
    }
}

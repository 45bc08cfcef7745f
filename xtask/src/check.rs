//! `cargo xtask check`: everything that CI runs, and nothing that CI runs is missing here.

use crate::workspace::{has, run as execute, say};
use crate::{browser, debian, editor, generate, lambda, mails, python, schema, serve, time_zones};

/// Run every check of the project
#[derive(clap::Args)]
pub(crate) struct Args {}

/// Everything is built in: the places at which tests end the process as a crash would, and AWS.
pub(crate) const FEATURES: [&str; 2] = ["--features", "oms/failpoints,oms/aws"];

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    tracer();
    database();
    python::environment(python::SERVERS)?;
    execute("cargo", &["fmt", "--all", "--check"])?;
    let lints = ["--", "-D", "warnings"];
    execute(
        "cargo",
        &[&["clippy", "--workspace", "--all-targets"][..], &FEATURES, &lints].concat(),
    )?;
    say("$ cargo xtask generate --check");
    generate::check()?;
    say("$ cargo xtask editor");
    editor::check()?;
    say("$ cargo xtask mails");
    mails::check()?;
    say("$ cargo xtask schema");
    schema::check()?;
    say("$ cargo xtask time-zones");
    time_zones::check()?;
    say("$ cargo xtask browser");
    browser::check()?;
    say("$ cargo xtask serve");
    serve::check()?;
    say("$ cargo xtask lambda");
    lambda::check()?;
    if has("cargo", &["deny", "--version"]) {
        // Advisories come over the network, and are asked for where there is one: `cargo deny check advisories`.
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

//! `cargo xtask check`: runs the checks that CI runs, except the one for security advisories.

use std::time::Instant;

use crate::passed::Inputs;
use crate::workspace::{FEATURES, has, run as execute, say};
use crate::{
    browser, debian, editor, fuzz, generate, lambda, mails, python, schema, serve, time_zones,
    workflows,
};

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
const PARTS: [(&str, Check); 10] = [
    ("generate --check", generate::check),
    ("workflows", workflows::check),
    ("editor", editor::check),
    ("mails", mails::check),
    ("schema", schema::check),
    ("time-zones", time_zones::check),
    ("fuzz", fuzz::check),
    ("browser", browser::check),
    ("serve", serve::check),
    ("lambda", lambda::check),
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    tracer();
    database();
    python::environment(python::SERVERS)?;
    execute("cargo", &["fmt", "--all", "--check"])?;
    let lints = ["--", "-D", "warnings"];
    timed("clippy", || {
        let clippy = ["clippy", "--workspace", "--all-targets"];
        execute("cargo", &[&clippy[..], &FEATURES, &lints].concat())
    })?;
    // Built first, so that the duration of a check does not include the build.
    timed("the build", || {
        execute("cargo", &[&["build", "--workspace", "--all-targets"][..], &FEATURES].concat())
    })?;
    for (name, check) in PARTS {
        let inputs = Inputs::now();
        if !args.all && inputs.passed(name) {
            say(&format!("{name}: passed before, and no file has changed; `--all` runs it again"));
            continue;
        }
        say(&format!("$ cargo xtask {name}"));
        timed(name, check)?;
        inputs.record(name);
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

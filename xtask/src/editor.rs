//! `cargo xtask editor`: what a person sees who edits a pipeline, asked of a real language server with the shipped schema.

use std::path::Path;

use crate::workspace::{has, root, run as execute, say, scratch, variable};

/// Drive npm's yaml-language-server over the shipped schema
#[derive(clap::Args)]
pub(crate) struct Args {}

/// The server and its version; another one may say things in other words.
const SERVER: (&str, &str) = ("yaml-language-server", "2.0.0");

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    check()
}

/// Runs the test. Where there is no npm it is skipped, but not in CI.
pub(crate) fn check() -> anyhow::Result<()> {
    if !has("npm", &["--version"]) || !has("node", &["--version"]) {
        let ci = variable("CI").is_some_and(|value| value == "true");
        anyhow::ensure!(!ci, "the editor's test needs node and npm");
        say("skipped: the editor's test, since node or npm is not installed");
        return Ok(());
    }
    let (name, version) = SERVER;
    let folder = scratch("editor").join(version);
    let program = folder.join("node_modules").join(name).join("bin").join(name);
    if !program.exists() {
        install(&folder, &format!("{name}@{version}"))?;
    }
    let script = root().join("tests/editor/editor.mjs");
    execute("node", &[&script.to_string_lossy(), &program.to_string_lossy()])
}

fn install(folder: &Path, package: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)?;
    let folder = folder.to_string_lossy();
    let quiet = ["--no-audit", "--no-fund", "--loglevel=error"];
    execute("npm", &[&["install", "--prefix", &folder][..], &quiet, &[package]].concat())
}

//! `cargo xtask editor`: what a person sees who edits a pipeline, asked of a real language server with the shipped schema.

use crate::npm;
use crate::workspace::{root, run as execute};

/// Drive npm's yaml-language-server over the shipped schema
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    check()
}

/// Runs the test. Another version of the server may say things in other words.
pub(crate) fn check() -> anyhow::Result<()> {
    let server = npm::program("the editor's test", "yaml-language-server", "2.0.0")?;
    let Some(server) = server else { return Ok(()) };
    let script = root().join("tests/editor/editor.mjs");
    execute("node", &[&script.to_string_lossy(), &server.to_string_lossy()])
}

//! `cargo xtask editor`: tests what an editor shows for a pipeline, with a real language server and
//! the published schema.

use crate::npm;
use xtask::workspace::{root, run as execute};

/// Test npm's yaml-language-server with the published schema
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(_: &Args) -> anyhow::Result<()> {
    check()
}

/// Runs the test. The version is fixed, because other versions may have other messages.
pub(crate) fn check() -> anyhow::Result<()> {
    let server = npm::program("the editor test", "yaml-language-server", "2.0.0")?;
    let Some(server) = server else { return Ok(()) };
    let script = root().join("tests/editor/editor.mjs");
    execute("node", &[&script.to_string_lossy(), &server.to_string_lossy()])
}

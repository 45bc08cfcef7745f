//! `cargo xtask cases`: runs the regression cases, which are small inputs that the program once
//! handled wrongly, and prints one line for each.

use xtask::workspace::{FEATURES, command};

/// Run the cases of `tests/cases/` and print one line for each
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Run only the cases whose name contains this text
    name: Option<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let name = args.name.as_deref().unwrap_or_default();
    let test = ["test", "--quiet", "--workspace", "--test", "it"];
    let only = ["--", "cases::", "--nocapture"];
    let arguments = [&test[..], &FEATURES, &only].concat();
    let status = command("cargo", &arguments).env("OMS_CASE", name).status()?;
    anyhow::ensure!(status.success(), "a case has unexpected output");
    Ok(())
}

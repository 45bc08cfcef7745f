//! `oms completions`: completion scripts for shells.

use crate::exit;
use crate::output;

/// Write a completion script for a shell
///
/// Example: oms completions bash > /etc/bash_completion.d/oms
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Shell
    #[arg(value_enum)]
    shell: clap_complete::Shell,
}

pub(crate) fn run(args: Args, program: &mut clap::Command) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, program, "oms", &mut script);
    output::result_bytes(&script)?;
    Ok(exit::SUCCESS)
}

//! `oms completions`: completion scripts for shells.

use clap::CommandFactory as _;

use crate::args;
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

pub(crate) fn run(args: Args) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::Args::command(), "oms", &mut script);
    output::answer_bytes(&script)?;
    Ok(exit::FINE)
}

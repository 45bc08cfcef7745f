//! `oms generate`: files for the deployment of a pipeline.

mod lambda;

use clap::Subcommand;
use oms_engine::step::StepKind;

/// Generate files for the deployment of a pipeline
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Lambda(lambda::Args),
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::Lambda(args) => lambda::run(args, kinds),
    }
}

//! `oms db`: the tables of a pipeline, and backups of its state.

mod backup;
mod export;
mod import;
mod migrate;
mod restore;

use std::sync::Arc;

use clap::Subcommand;
use oms_engine::diagnostic::did_you_mean;
use oms_engine::plan::Plan;
use oms_engine::step::StepKind;
use oms_engine::table::TableDef;

use crate::exit::Usage;

/// Export, import or migrate a pipeline's tables; back up or restore its state
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Export(export::Args),
    Import(import::Args),
    Backup(backup::Args),
    Restore(restore::Args),
    Migrate(migrate::Args),
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::Export(args) => export::run(args, kinds),
        Command::Import(args) => import::run(args, kinds),
        Command::Backup(args) => backup::run(args),
        Command::Restore(args) => restore::run(args),
        Command::Migrate(args) => migrate::run(args, kinds),
    }
}

fn table(plan: &Plan, name: Option<&String>) -> anyhow::Result<Arc<TableDef>> {
    let known = || plan.tables().iter().map(|table| table.name.as_ref());
    let Some(name) = name else {
        let names: Vec<&str> = known().collect();
        return Err(Usage(format!("specify the table: {}", names.join(", "))).into());
    };
    let table = plan.tables().iter().find(|table| table.name.as_ref() == name.as_str());
    table.cloned().ok_or_else(|| {
        let help = did_you_mean(name, known().collect::<Vec<_>>());
        let help = help.unwrap_or_else(|| "see `tables:` in the pipeline file".to_owned());
        Usage(format!("unknown table `{name}`; {help}")).into()
    })
}

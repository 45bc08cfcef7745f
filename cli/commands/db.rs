//! `oms db`: a pipeline's tables and their rows.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use oms_engine::diagnostic::did_you_mean;
use oms_engine::plan::{Plan, RowError, read_rows};
use oms_engine::step::StepKind;
use oms_engine::table::TableDef;
use oms_local::control::Request;
use oms_local::{Database, backup, export_rows, import_rows};

use crate::check;
use crate::exit::{self, Usage};
use crate::operate::ask;
use crate::output;
use crate::state::{Target, current_plan};
use crate::world::WorldOption;

/// Export or import the rows of a pipeline's tables, as NDJSON, copy the state, or make the tables
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Write a table's rows to standard output, in the order of their key
    ///
    /// The rows are data and hold personal data as it is. Example: oms db export pipelines/storefront.yaml billing_data
    Export {
        #[command(flatten)]
        target: Target,
    },
    /// Add rows to a table, replacing those with the same key; all of them or none
    ///
    /// Example: oms db import pipelines/storefront.yaml customer_contact_info customers.ndjson
    Import {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        world: WorldOption,
    },
    /// Copy the whole state into a file, also while a server runs it
    ///
    /// The copy is a database like the state's: `oms.db` of a new state directory. Example: oms db backup pipelines/storefront.yaml storefront.db
    Backup {
        #[command(flatten)]
        target: Target,
    },
    /// Make the pipeline's tables and our own where `--target` says, columns that were added since, and on AWS the handlers' roles
    ///
    /// Repeated, it changes nothing.
    ///
    /// The tables of the state directory are made by `oms run`. Example: oms db migrate pipelines/storefront.yaml --target postgres
    Migrate {
        /// The pipeline file
        pipeline: PathBuf,
        #[command(flatten)]
        world: WorldOption,
    },
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::Export { target } => export(target, kinds),
        Command::Import { target, world } => import(target, &world, kinds),
        Command::Backup { target } => copy(target),
        Command::Migrate { pipeline, world } => migrate(&pipeline, &world, kinds),
    }
}

fn table(plan: &Plan, name: Option<&String>) -> anyhow::Result<Arc<TableDef>> {
    let known = || plan.tables().iter().map(|table| table.name.as_ref());
    let Some(name) = name else {
        let names: Vec<&str> = known().collect();
        return Err(Usage(format!("name the table: {}", names.join(", "))).into());
    };
    let table = plan.tables().iter().find(|table| table.name.as_ref() == name.as_str());
    table.cloned().ok_or_else(|| {
        let help = did_you_mean(name, known().collect::<Vec<_>>());
        let help = help.unwrap_or_else(|| "see `tables:` in the pipeline file".to_owned());
        Usage(format!("there is no table `{name}`; {help}")).into()
    })
}

fn export(target: Target, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let found = target.find()?;
    let reading = found.read(kinds)?;
    let table = table(reading.plan()?.as_ref(), found.words.first())?;
    let mut lines = String::new();
    let mut failure = None;
    export_rows(&reading.connection, &table, |line| {
        const CHUNK: usize = 1 << 16;
        lines.push_str(line);
        lines.push('\n');
        if lines.len() > CHUNK && failure.is_none() {
            failure = output::answer(&lines).err();
            lines.clear();
        }
        Ok(())
    })?;
    match failure {
        Some(error) => Err(error),
        None => {
            output::answer(&lines)?;
            Ok(exit::FINE)
        }
    }
}

fn import(target: Target, world: &WorldOption, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let found = target.find()?;
    let checker = check::checker(kinds)?;
    let Some((_, plan)) = current_plan(&checker, &found)? else { return Ok(exit::FINDINGS) };
    let table = table(&plan, found.words.first())?;
    let Some(path) = found.words.get(1) else {
        return Err(Usage("name the file of rows, or `-` for standard input".to_owned()).into());
    };
    let text = if path == "-" {
        std::io::read_to_string(std::io::stdin()).context("standard input cannot be read")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("`{path}` cannot be read"))?
    };
    let rows = match read_rows(&table, &text) {
        Ok(rows) => rows,
        Err(RowError { line, column, message }) => {
            output::say(&format!("{path}:{line}:{column}: {message}"));
            output::say("nothing was imported");
            return Ok(exit::FINDINGS);
        }
    };
    match world.outside()? {
        Some(outside) => outside.import(&plan, &table, &rows)?,
        None => {
            let request = Request::Import { table: table.name.to_string(), rows: text };
            if ask(&found.directory, &request)?.is_none() {
                import_rows(&Database::own(&found.directory)?, &table, &rows)?;
            }
        }
    }
    let count = rows.len() as u64;
    output::say(&format!("{} imported into {}", output::counted(count, "row"), table.name));
    Ok(exit::FINE)
}

fn copy(target: Target) -> anyhow::Result<u8> {
    let found = target.find()?;
    let Some(path) = found.words.first() else {
        return Err(Usage("name the file of the copy".to_owned()).into());
    };
    backup(&found.directory, Path::new(path))?;
    output::say(&format!("`{path}` is a copy of `{}`", found.directory.display()));
    Ok(exit::FINE)
}

fn migrate(pipeline: &Path, world: &WorldOption, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Some(outside) = world.outside()? else {
        let message =
            "say where with `--target`; the tables of the state directory are made by `oms run`";
        return Err(Usage(message.to_owned()).into());
    };
    let checker = check::checker(kinds)?;
    let Some(plan) = check::plan(&checker, pipeline)? else { return Ok(exit::FINDINGS) };
    outside.migrate(&plan)?;
    let roles = outside.set_roles(&plan)?;
    let names: Vec<&str> = plan.tables().iter().map(|table| table.name.as_ref()).collect();
    output::say(&format!("the tables are there: {}", names.join(", ")));
    if roles > 0 {
        output::say(&format!(
            "{} may do what its handler needs",
            output::counted(roles as u64, "role")
        ));
    }
    Ok(exit::FINE)
}

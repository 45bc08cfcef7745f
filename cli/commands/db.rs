//! `oms db`: the tables of a pipeline, and backups of its state.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use oms_engine::diagnostic::did_you_mean;
use oms_engine::effects::cause;
use oms_engine::plan::{Plan, RowError, read_rows};
use oms_engine::step::StepKind;
use oms_engine::table::TableDef;
use oms_engine::value::format_quantity;
use oms_runtime::control::Request;
use oms_sqlite::{DATABASE_FILE, Database, Restored, backup, export_rows, import_rows, restore};

use crate::check;
use crate::exit::{self, Usage};
use crate::output;
use crate::target::effect_target::WorldOption;
use crate::target::operation::ask;
use crate::target::state::{Target, current_plan, directory, name};

/// Export, import or migrate a pipeline's tables; back up or restore its state
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Write the rows of a table to standard output as NDJSON, in the order of their key
    ///
    /// The output contains personal data. Example: oms db export pipelines/storefront.yaml billing_data
    Export {
        #[command(flatten)]
        target: Target,
    },
    /// Import rows into a table from an NDJSON file, and replace rows with the same key
    ///
    /// In a state directory, a file is imported completely or not at all.
    ///
    /// Example: oms db import pipelines/storefront.yaml customer_contact_info customers.ndjson
    Import {
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        world: WorldOption,
    },
    /// Back up the state to a file, even while a server uses it
    ///
    /// Restore it with `oms db restore`. Example: oms db backup pipelines/storefront.yaml storefront.db
    Backup {
        #[command(flatten)]
        target: Target,
    },
    /// Replace the state with a backup, and move the current files to a folder
    ///
    /// The backup does not contain orders that were accepted later. Runs that were in progress at the time of the backup are parked with the
    /// cause `restored`, because their e-mails may have been sent since. Retry them with `oms runs retry`.
    ///
    /// Example: oms db restore pipelines/storefront.yaml storefront.db
    Restore {
        #[command(flatten)]
        target: Target,
    },
    /// Migrate the tables of a pipeline
    ///
    /// With `--target`, creates the tables of the pipeline and of `oms`, and on AWS the roles of the handlers.
    ///
    /// Rows and undeclared columns are kept. The command is idempotent.
    ///
    /// In a state directory, `oms run` creates tables and adds columns by itself. This command changes which columns are nullable.
    ///
    /// Example: oms db migrate pipelines/storefront.yaml --target postgres
    Migrate {
        /// Pipeline file
        pipeline: PathBuf,
        /// State directory, by default `.oms/<name>` next to the pipeline file
        #[arg(long, value_name = "DIR", conflicts_with = "target")]
        state_dir: Option<PathBuf>,
        #[command(flatten)]
        world: WorldOption,
    },
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::Export { target } => export(target, kinds),
        Command::Import { target, world } => import(target, &world, kinds),
        Command::Backup { target } => copy(target),
        Command::Restore { target } => restored(target),
        Command::Migrate { pipeline, state_dir, world } => {
            migrate(&pipeline, state_dir, &world, kinds)
        }
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
        Usage(format!("there is no table `{name}`; {help}")).into()
    })
}

fn export(target: Target, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let found = target.find()?;
    let reading = found.read(kinds)?;
    let table = table(reading.plan()?.as_ref(), found.words.first())?;
    let mut lines = String::new();
    let mut failure = None;
    export_rows(&reading.reader, &table, |line| {
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
        return Err(
            Usage("specify the file with the rows, or `-` for standard input".to_owned()).into()
        );
    };
    let text = if path == "-" {
        std::io::read_to_string(std::io::stdin()).context("cannot read standard input")?
    } else {
        std::fs::read_to_string(path).with_context(|| format!("cannot read `{path}`"))?
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
    output::say(&format!("{} imported into {}", format_quantity(count, "row"), table.name));
    Ok(exit::FINE)
}

fn copy(target: Target) -> anyhow::Result<u8> {
    let found = target.find()?;
    let Some(path) = found.words.first() else {
        return Err(Usage("specify the file for the backup".to_owned()).into());
    };
    backup(&found.directory, Path::new(path))?;
    output::say(&format!("backed up `{}` to `{path}`", found.directory.display()));
    Ok(exit::FINE)
}

fn restored(target: Target) -> anyhow::Result<u8> {
    let found = target.find()?;
    let Some(path) = found.words.first() else {
        return Err(Usage("specify the backup file".to_owned()).into());
    };
    let name = found.pipeline.as_deref().map(name).transpose()?;
    let Restored { parked, before } = restore(&found.directory, Path::new(path), name.as_deref())?;
    output::say(&format!("restored `{path}` to `{}`", found.directory.display()));
    if let Some(before) = before {
        output::say(&format!("the previous files are in `{}`", before.display()));
    }
    if parked > 0 {
        let runs = format_quantity(parked as u64, "run");
        output::say(&format!(
            "{runs} parked, because e-mails may have been sent after the backup; list with: oms runs list {} --cause {}",
            found.shown(),
            cause::RESTORED
        ));
    }
    Ok(exit::FINE)
}

fn migrate(
    pipeline: &Path,
    state_dir: Option<PathBuf>,
    world: &WorldOption,
    kinds: &[StepKind],
) -> anyhow::Result<u8> {
    let outside = world.outside()?;
    let checker = check::checker(kinds)?;
    let Some(plan) = check::plan(&checker, pipeline)? else { return Ok(exit::FINDINGS) };
    let Some(outside) = outside else {
        let directory = state_dir.unwrap_or_else(|| directory(pipeline, plan.name()));
        anyhow::ensure!(
            directory.join(DATABASE_FILE).exists(),
            "`{}` contains no state; create it with `oms run`",
            directory.display()
        );
        let changed = oms_sqlite::migrate(&Database::own(&directory)?, plan.tables())?;
        output::say(&match changed.as_slice() {
            [] => "all tables are up to date".to_owned(),
            changed => format!("changed: {}", changed.join(", ")),
        });
        return Ok(exit::FINE);
    };
    outside.migrate(&plan)?;
    let roles = outside.set_roles(&plan)?;
    let names: Vec<&str> = plan.tables().iter().map(|table| table.name.as_ref()).collect();
    output::say(&format!("the tables are ready: {}", names.join(", ")));
    if roles > 0 {
        output::say(&format!("set the permissions of {}", format_quantity(roles as u64, "role")));
    }
    Ok(exit::FINE)
}

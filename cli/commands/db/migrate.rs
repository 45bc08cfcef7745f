//! `oms db migrate`: migrates the tables of a pipeline.

use std::path::PathBuf;

use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_sql::SchemaChange;
use oms_sqlite::{DATABASE_FILE, Database};

use crate::check;
use crate::exit::{self, Usage};
use crate::output;
use crate::targets::effect_target::TargetOption;
use crate::targets::state::directory;

/// Migrate the tables of a pipeline
///
/// With `--target postgres` or `--target aws`, creates the tables of the pipeline and of `oms`.
/// On AWS, also creates the roles of the handlers and of the operator.
///
/// Rows and undeclared columns are kept. The command is idempotent. It changes nothing if one of the
/// changes could lose data or make the running handlers fail, unless `--allow-destructive` is given.
///
/// In a state directory, `oms run` creates tables and adds columns automatically. This command also
/// changes whether columns are nullable.
///
/// Example: oms db migrate pipelines/storefront.yaml --target postgres
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Pipeline file
    pipeline: PathBuf,
    /// State directory, by default `.oms/<name>` next to the pipeline file
    #[arg(long, value_name = "DIR", conflicts_with = "target")]
    state_dir: Option<PathBuf>,
    /// Print the statements instead of running them
    ///
    /// A comment marks each statement that requires `--allow-destructive`.
    #[arg(long, requires = "target")]
    plan: bool,
    /// Also change the types of columns, and require values in columns
    ///
    /// Such a change can lose data. Handlers of the earlier version may fail after it.
    #[arg(long, requires = "target", conflicts_with = "plan")]
    allow_destructive: bool,
    /// Keep the privileges of database roles that the pipeline no longer needs
    ///
    /// Handlers of the earlier version may still use them. Requires `--target aws`.
    #[arg(long, requires = "target", conflicts_with = "plan")]
    keep_privileges: bool,
    #[command(flatten)]
    effects: TargetOption,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { pipeline, state_dir, plan: only_plan, allow_destructive, keep_privileges, effects } =
        args;
    let external = effects.external()?;
    let checker = check::checker(kinds)?;
    let Some(plan) = check::plan(&checker, &pipeline)? else { return Ok(exit::FINDINGS) };
    let Some(external) = external else {
        let directory = state_dir.unwrap_or_else(|| directory(&pipeline, plan.name()));
        anyhow::ensure!(
            directory.join(DATABASE_FILE).exists(),
            "`{}` contains no state; create it with `oms run`",
            directory.display()
        );
        let changed = oms_sqlite::migrate(&Database::own(&directory)?, plan.tables())?;
        output::message(&match changed.as_slice() {
            [] => "all tables are up to date".to_owned(),
            changed => format!("changed: {}", changed.join(", ")),
        });
        return Ok(exit::SUCCESS);
    };
    if keep_privileges && external.remote.name != "aws" {
        let message = "`--keep-privileges` is for `--target aws`, where the handlers have roles";
        return Err(Usage(message.to_owned()).into());
    }
    if only_plan {
        for SchemaChange { statement, destructive } in external.schema_changes(&plan)? {
            let mark =
                destructive.map_or_else(String::new, |why| format!("-- destructive: {why}\n"));
            output::result(&format!("{mark}{};\n", statement.numbered()))?;
        }
        return Ok(exit::SUCCESS);
    }
    external.migrate(&plan, allow_destructive)?;
    let roles = external.set_roles(&plan, keep_privileges)?;
    let names: Vec<&str> = plan.tables().iter().map(|table| table.name.as_ref()).collect();
    output::message(&format!("the tables are ready: {}", names.join(", ")));
    if roles > 0 {
        output::message(&format!(
            "set the permissions of {}",
            format_quantity(roles as u64, "role")
        ));
    }
    Ok(exit::SUCCESS)
}

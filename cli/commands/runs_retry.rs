//! `oms runs retry`: parked runs go on where they failed.

use std::sync::Arc;

use anyhow::Context as _;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_local::{RunRow, Runner, Settings, Settled};
use serde_json::json;

use crate::check;
use crate::commands::Format;
use crate::directory::DirectoryFiles;
use crate::exit::{self, Usage};
use crate::mailing::MailOption;
use crate::output;
use crate::stack::{Again, Asked};
use crate::state::{Found, Reading, Target, current_plan};
use crate::tally::Tally;
use crate::world::WorldOption;

/// Try parked runs again, on the pipeline as it is now; steps that were done stay done
///
/// Example: oms runs retry pipelines/storefront.yaml --cause no_rate
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    target: Target,
    /// All parked runs
    #[arg(long, conflicts_with = "cause")]
    all: bool,
    /// All parked runs with this cause
    #[arg(long)]
    cause: Option<String>,
    /// What you found out about mails of which it was not known whether they were sent: `sent` takes them as sent, `resend` sends them
    /// again. Without it such runs are left as they are
    #[arg(long, value_enum)]
    held: Option<Held>,
    #[command(flatten)]
    mail: MailOption,
    #[command(flatten)]
    world: WorldOption,
    /// How the outcome is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// What a person found out.
#[derive(clap::ValueEnum, Clone, Copy, Debug)]
enum Held {
    /// It was done
    Sent,
    /// It was not done, or may be done twice
    Resend,
}

impl From<Held> for oms_local::Held {
    fn from(held: Held) -> Self {
        match held {
            Held::Sent => Self::Sent,
            Held::Resend => Self::Resend,
        }
    }
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { target, all, cause, held, mail, world, format } = args;
    let found = &target.find()?;
    if !all && cause.is_none() && found.words.is_empty() {
        return Err(Usage("say what to retry: keys, --cause or --all".to_owned()).into());
    }
    if let Some(stack) = world.stack() {
        let sent = held.map(|held| matches!(held, Held::Sent));
        let again = Again { keys: &found.words, cause: cause.as_deref(), sent };
        let answered = stack.asked(&Asked::Retry(again), found, format, kinds)?;
        return Ok(answered.unwrap_or(exit::FINE));
    }
    let checker = check::checker(kinds)?;
    let Some((pipeline, plan)) = current_plan(&checker, found)? else { return Ok(exit::FINDINGS) };
    let rows = {
        let reading = found.read(kinds)?;
        chosen(&reading, found, cause.as_deref())?
    };
    let (files, name) = DirectoryFiles::of(&pipeline);
    let outside = world.outside()?;
    let settings = Settings {
        concurrency: 1,
        export: None,
        mail: mail.mailing(&plan, outside.as_ref())?,
        remote: outside.as_ref().map(|outside| outside.remote.clone()),
    };
    let runner = Runner::open(&found.directory, &plan, &checker, &name, &files, settings)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(super::run::STACK_BYTES)
        .enable_all()
        .build()?;
    let mut tally = Tally { resumed: rows.len() as u64, ..Tally::default() };
    let result: anyhow::Result<()> = runtime.block_on(async {
        for row in &rows {
            if let (Some(outside), Some(Held::Resend)) = (&outside, held) {
                outside.may_do_again(&plan, &row.key).await?;
            }
            match runner.retry(row, held.map(Into::into)).await? {
                Ok(settled) => tally.add(&settled),
                Err(why) => {
                    output::say(&format!("error: {why}"));
                    tally.add(&Settled::Run {
                        key: Arc::from(row.key.as_str()),
                        resumed: true,
                        state: RunState::Parked,
                        cause: row.cause.clone(),
                    });
                }
            }
        }
        Ok(())
    });
    runner.close()?;
    result?;
    match format {
        Format::Json => output::json(&json!({
            "format_version": 1, "retried": tally.resumed, "completed": tally.completed,
            "parked": tally.parked, "waiting": tally.waiting,
        }))?,
        Format::Human => output::answer(&format!(
            "{} retried: {} completed, {} parked, {} waiting\n",
            output::counted(tally.resumed, "run"),
            tally.completed,
            tally.parked,
            tally.resumed.saturating_sub(tally.completed + tally.parked + tally.cancelled),
        ))?,
    }
    Ok(if tally.parked > 0 { exit::FINDINGS } else { exit::FINE })
}

/// Returns the parked runs that are meant.
fn chosen(reading: &Reading, found: &Found, cause: Option<&str>) -> anyhow::Result<Vec<RunRow>> {
    if found.words.is_empty() {
        return Ok(RunRow::list(&reading.connection, Some(RunState::Parked), cause, u32::MAX)?);
    }
    let mut rows = Vec::new();
    for key in &found.words {
        let row = RunRow::find(&reading.connection, key)?
            .with_context(|| format!("there is no run `{key}`"))?;
        anyhow::ensure!(
            row.state == RunState::Parked,
            "the run `{key}` is {}, and only parked runs are retried",
            row.state.as_str()
        );
        rows.push(row);
    }
    Ok(rows)
}

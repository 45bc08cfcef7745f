//! Doing something with runs: by the server that has the state directory, or else here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use oms_clock::SystemClock;
use oms_engine::plan::{Checker, Plan};
use oms_runtime::control::{self, Done, Request, Response};
use oms_runtime::{Held, Runner, Settings};
use oms_sqlite::RunRow;

use crate::commands::run::STACK_BYTES;
use crate::directory::DirectoryFiles;
use crate::mailing::MailOption;
use crate::output;
use crate::state::Found;
use crate::world::Outside;

/// What is done with runs.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    /// Parked runs are tried again.
    Retry(Option<Held>),
    /// Runs are ended.
    Cancel,
}

/// What doing it here takes.
pub(crate) struct Here<'a> {
    pub(crate) checker: &'a Arc<Checker>,
    pub(crate) pipeline: PathBuf,
    pub(crate) plan: Arc<Plan>,
    pub(crate) mail: MailOption,
    pub(crate) outside: Option<Outside>,
}

impl Here<'_> {
    /// Takes the state directory, to work on it in this process.
    ///
    /// # Errors
    /// When another process has it, or it cannot be used.
    pub(crate) fn open(self, directory: &Path) -> anyhow::Result<Runner> {
        let Here { checker, pipeline, plan, mail, outside } = self;
        let (files, name) = DirectoryFiles::of(&pipeline);
        let settings = Settings {
            mail: mail.mailing(&plan, outside.as_ref())?,
            remote: outside.map(|outside| outside.remote),
            ..Settings::new(SystemClock)
        };
        let runner = Runner::open(directory, &plan, checker, &name, &files, settings)?;
        output::say_skipped_seeds(&runner);
        Ok(runner)
    }
}

/// Asks the server that has a state directory; nothing if there is none.
///
/// # Errors
/// When it does not answer, or could not do it.
pub(crate) fn ask(directory: &Path, request: &Request) -> anyhow::Result<Option<Response>> {
    let asked = control::ask(directory, request);
    match asked.context("the server that runs the pipeline did not answer")? {
        Some(Response::Failed(why)) => anyhow::bail!("the server could not do it: {why}"),
        response => Ok(response),
    }
}

/// Says that an answer is to another question.
pub(crate) fn astray() -> anyhow::Error {
    anyhow::anyhow!("the server did something else")
}

/// Does it, and returns what became of each run. What was refused is said.
///
/// # Errors
/// When the server breaks off, or the database fails.
pub(crate) fn operate(
    deed: Deed,
    found: &Found,
    rows: &[RunRow],
    here: Here<'_>,
) -> anyhow::Result<Vec<Done>> {
    let runs = rows.iter().map(|row| row.id).collect();
    let request = match deed {
        Deed::Retry(held) => Request::Retry { runs, held },
        Deed::Cancel => Request::Cancel { runs },
    };
    if let (Some(outside), Deed::Retry(Some(Held::Resend))) = (&here.outside, deed) {
        let again = async {
            for row in rows {
                outside.may_do_again(&here.plan, &row.key).await?;
            }
            anyhow::Ok(())
        };
        crate::world::runtime()?.block_on(again)?;
    }
    let done = match ask(&found.directory, &request)? {
        Some(Response::Done(done)) => done,
        Some(_) => return Err(astray()),
        None => alone(deed, found, rows, here)?,
    };
    for refused in done.iter().filter_map(|done| done.refused.as_ref()) {
        output::say(&format!("error: {refused}"));
    }
    Ok(done)
}

fn alone(deed: Deed, found: &Found, rows: &[RunRow], here: Here<'_>) -> anyhow::Result<Vec<Done>> {
    let runner = here.open(&found.directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()?;
    let done: anyhow::Result<Vec<Done>> = runtime.block_on(async {
        let mut done = Vec::with_capacity(rows.len());
        for row in rows {
            done.push(match deed {
                Deed::Retry(held) => Done::of(row, runner.retry(row, held).await?),
                Deed::Cancel => Done::of(row, runner.cancel(row).await?),
            });
        }
        Ok(done)
    });
    runner.close()?;
    done
}

//! Operations on runs. The server that owns the state directory executes them, or else this process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use oms_clock::SystemClock;
use oms_engine::plan::{Checker, Plan};
use oms_runtime::control::{self, Done, Request, Response};
use oms_runtime::{Held, Runner, Settings};
use oms_sqlite::RunRow;

use crate::directory::DirectoryFiles;
use crate::output;
use crate::runtime;
use crate::target::effect_target::Outside;
use crate::target::email_destination::MailOption;
use crate::target::state::Found;

/// An operation on runs.
#[derive(Clone, Copy)]
pub(crate) enum Deed {
    /// Retry runs.
    Retry(Option<Held>),
    /// Cancel runs.
    Cancel,
}

/// The context of an operation in this process.
pub(crate) struct Here<'a> {
    pub(crate) checker: &'a Arc<Checker>,
    pub(crate) pipeline: PathBuf,
    pub(crate) plan: Arc<Plan>,
    pub(crate) mail: MailOption,
    pub(crate) outside: Option<Outside>,
}

impl Here<'_> {
    /// Opens the state directory in this process.
    ///
    /// # Errors
    /// When another process owns the directory, or it cannot be used.
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

/// Sends a request to the server that owns a state directory. Returns `None` if there is no server.
///
/// # Errors
/// When the server does not respond, or the request failed.
pub(crate) fn ask(directory: &Path, request: &Request) -> anyhow::Result<Option<Response>> {
    let asked = control::ask(directory, request);
    match asked.context("the server that runs the pipeline did not respond")? {
        Some(Response::Failed(why)) => anyhow::bail!("the request to the server failed: {why}"),
        response => Ok(response),
    }
}

/// Returns the error for a response to another request.
pub(crate) fn astray() -> anyhow::Error {
    anyhow::anyhow!("unexpected response from the server")
}

/// Executes an operation and returns the outcome of each run. Prints the runs that were refused.
///
/// # Errors
/// When the connection to the server is lost, or the database fails.
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
        runtime::current_thread()?.block_on(again)?;
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
    let runtime = runtime::multi_thread()?;
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

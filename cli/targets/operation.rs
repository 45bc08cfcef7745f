//! Operations on a state. The server that owns the state directory executes them, or else this
//! process.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use oms_clock::SystemClock;
use oms_engine::effects::{NoServices, Services};
use oms_engine::plan::{Checker, Plan};
use oms_engine::step::StepKind;
use oms_runtime::control::{self, Done, Request, Response};
use oms_runtime::{HeldDecision, Runner, Settings, check_settings};
use oms_sqlite::RunRow;

use crate::check;
use crate::directory::DirectoryFiles;
use crate::output;
use crate::runtime;
use crate::targets::effect_target::TargetOption;
use crate::targets::email_destination::MailOption;
use crate::targets::external::ExternalTarget;
use crate::targets::services;
use crate::targets::state::{ResolvedState, current_plan};

/// An operation on runs.
#[derive(Clone)]
pub(crate) enum Operation {
    /// Retry runs.
    Retry(Option<HeldDecision>),
    /// Cancel runs.
    Cancel,
}

/// The context of an operation in this process.
pub(crate) struct LocalContext {
    checker: Arc<Checker>,
    pipeline: PathBuf,
    plan: Arc<Plan>,
    mail: MailOption,
    external: Option<ExternalTarget>,
}

impl LocalContext {
    /// Checks the pipeline and opens the target of its effects. Returns `None` if the pipeline has
    /// errors, which were printed.
    ///
    /// # Errors
    /// Returns an error if no pipeline is given, it cannot be read, or an option of the target is
    /// missing.
    pub(crate) fn new(
        state: &ResolvedState,
        mail: MailOption,
        target: &TargetOption,
        kinds: &[StepKind],
    ) -> anyhow::Result<Option<Self>> {
        let checker = check::checker(kinds)?;
        let Some((pipeline, plan)) = current_plan(&checker, state)? else { return Ok(None) };
        let external = target.external()?;
        Ok(Some(Self { checker, pipeline, plan, mail, external }))
    }

    /// Opens the state directory in this process, to cancel or delete runs.
    ///
    /// # Errors
    /// Returns an error if another process owns the directory, or if it cannot be used.
    pub(crate) fn open(self, directory: &Path) -> anyhow::Result<Runner> {
        let message = "this command cannot call services";
        self.open_with(directory, Arc::new(NoServices(message)))
    }

    fn open_with(self, directory: &Path, services: Arc<dyn Services>) -> anyhow::Result<Runner> {
        let Self { checker, pipeline, plan, mail, external } = self;
        let (files, name) = DirectoryFiles::of(&pipeline);
        let settings = Settings {
            mail: mail.delivery(&plan, external.as_ref())?,
            remote: external.map(|external| external.remote),
            services,
            ..Settings::new(SystemClock)
        };
        let runner = Runner::open(directory, &plan, &checker, &name, &files, settings)?;
        output::skipped_seeds(&runner);
        Ok(runner)
    }
}

/// Executes a request in the server that owns a state directory, or in this process if there is no
/// server. `accept` returns `None` for the response to another request.
///
/// # Errors
/// Returns an error if the server does not respond, the request failed, or this process cannot
/// execute it.
pub(crate) fn in_server_or_here<T>(
    directory: &Path,
    request: &Request,
    accept: impl FnOnce(Response) -> Option<T>,
    here: impl FnOnce() -> anyhow::Result<T>,
) -> anyhow::Result<T> {
    let response = control::ask(directory, request);
    match response.context("the server that runs the pipeline did not respond")? {
        Some(Response::Failed(why)) => anyhow::bail!("the request to the server failed: {why}"),
        Some(response) => accept(response).context("unexpected response from the server"),
        None => here(),
    }
}

/// Executes an operation and returns the result for each run. Prints an error for each run whose
/// operation was refused.
///
/// # Errors
/// Returns an error if neither the server nor this process can execute the operation, or if the
/// database of the target fails.
pub(crate) fn operate(
    operation: Operation,
    directory: &Path,
    rows: &[RunRow],
    context: LocalContext,
) -> anyhow::Result<Vec<Done>> {
    let runs = rows.iter().map(|row| row.id).collect();
    let request = match &operation {
        Operation::Retry(held) => Request::Retry { runs, held: held.clone() },
        Operation::Cancel => Request::Cancel { runs },
    };
    if let (Some(external), Operation::Retry(Some(HeldDecision::Resend))) =
        (&context.external, &operation)
    {
        runtime::current_thread()?.block_on(async {
            for row in rows {
                external.allow_repeat(&context.plan, &row.key).await?;
            }
            anyhow::Ok(())
        })?;
    }
    let accept = |response| match response {
        Response::Done(done) => Some(done),
        _ => None,
    };
    let here = || operate_here(&operation, directory, rows, context);
    let done = in_server_or_here(directory, &request, accept, here)?;
    for refused in done.iter().filter_map(|done| done.refused.as_ref()) {
        output::message(&format!("error: {refused}"));
    }
    Ok(done)
}

fn operate_here(
    operation: &Operation,
    directory: &Path,
    rows: &[RunRow],
    context: LocalContext,
) -> anyhow::Result<Vec<Done>> {
    let runner = match operation {
        Operation::Cancel => context.open(directory)?,
        Operation::Retry(_) => {
            check_settings(&context.plan)?;
            let services = services::of_plan(&context.plan)?;
            context.open_with(directory, services)?
        }
    };
    let done: anyhow::Result<Vec<Done>> = runtime::multi_thread()?.block_on(async {
        let mut done = Vec::with_capacity(rows.len());
        for row in rows {
            done.push(match operation {
                Operation::Retry(held) => Done::of(row, runner.retry(row, held.clone()).await)?,
                Operation::Cancel => Done::of(row, runner.cancel(row).await)?,
            });
        }
        Ok(done)
    });
    runner.close()?;
    done
}

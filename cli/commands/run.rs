//! `oms run`: resumes open runs, then runs the orders of each input.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use oms_engine::plan::{Plan, PlannedStep};
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_runtime::{Runner, Work, WorkResult, check_settings};
use tokio::sync::{mpsc, watch};

use crate::check;
use crate::directory::DirectoryFiles;
use crate::exit::{self, Usage};
use crate::orders::input::{Reader, Source};
use crate::orders::progress::Progress;
use crate::orders::rejections::{ReplyQueue, reply_queue};
use crate::orders::summary;
use crate::orders::tally::Tally;
use crate::orders::wait_messages::WaitMessages;
use crate::orders::watched_folder::WatchedFolder;
use crate::output::{self, Format};
use crate::runtime;
use crate::signals::{self, Signals};
use crate::targets::run_options::RunOptions;
use crate::targets::{services, state};

/// Run orders through a pipeline
///
/// First resumes the runs that are in progress or waiting, then runs the orders of each input: one
/// JSON document per file, one per line (NDJSON), or one order per row of a `.csv` file. Without
/// input and with a new state directory, runs the pipeline's samples, unless e-mails are sent by
/// SMTP or SES, or steps call services. Ends when no run can continue.
///
/// Example: oms run pipelines/storefront.yaml --input orders.ndjson
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Pipeline file
    pipeline: PathBuf,
    #[arg(hide = true, value_name = "FILE")]
    without_option: Vec<PathBuf>,
    /// File with orders, or `-` for standard input; can be repeated
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// Read files with orders from this folder until Ctrl-C, after all other input
    ///
    /// Files are moved to the subfolder `done`, or to `refused` if an order was not accepted.
    #[arg(long, value_name = "DIR")]
    watch: Option<PathBuf>,
    /// Run the pipeline's samples
    #[arg(long)]
    samples: bool,
    /// Name of the orders from standard input (`intake.name`)
    #[arg(long)]
    name: Option<String>,
    /// State directory, by default `.oms/<name>` next to the pipeline file
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    options: RunOptions,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Maximum number of orders that are read ahead.
const READ_AHEAD: usize = 512;
/// Interval between two updates of the progress bar, in milliseconds.
const TICK_MS: u64 = 100;

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    if let Some(path) = args.without_option.first() {
        let path = path.display();
        let message =
            format!("`oms run` takes one pipeline; for a file with orders, use `--input {path}`");
        return Err(Usage(message).into());
    }
    let checker = check::checker_for(kinds, args.options.target.target())?;
    let Some(plan) = check::plan(&checker, &args.pipeline)? else { return Ok(exit::FINDINGS) };
    check_settings(&plan)?;
    let directory =
        args.state_dir.clone().unwrap_or_else(|| state::directory(&args.pipeline, plan.name()));
    let fresh = !directory.join(oms_sqlite::DATABASE_FILE).exists();
    let sources = sources(&args, &plan, fresh)?;
    for source in &sources {
        if let Source::File(path) = source {
            std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        }
    }
    let (files, name) = DirectoryFiles::of(&args.pipeline);
    let settings = args.options.settings(&plan, false, services::of_plan(&plan)?)?;
    let runner = Arc::new(Runner::open(&directory, &plan, &checker, &name, &files, settings)?);
    output::skipped_seeds(&runner);
    let runtime = runtime::multi_thread()?;
    let watch = args.watch.clone();
    let has_input = !sources.is_empty() || watch.is_some();
    let options = args.options.shown();
    let tables = args.options.target.external_tables();
    let shown = summary::State { directory: &directory, pipeline: &args.pipeline, options, tables };
    let waits = WaitMessages::new(format!("{}{}", shown.argument(&plan), shown.options));
    report_parked(&runner, &shown.argument(&plan))?;
    let call = Call { runner: Arc::clone(&runner), plan: Arc::clone(&plan), sources, watch, waits };
    let result = runtime.block_on(call.run());
    // After an interrupt, the thread that reads standard input may wait forever for a line.
    runtime.shutdown_background();
    let not_exported = runner.count_not_exported();
    let runner = Arc::into_inner(runner).context("a run is still in progress")?;
    // The writer's error is the cause of the others.
    runner.close()?;
    let (tally, seconds, interrupted) = result?;
    match args.format {
        Format::Json => output::json(&tally.to_json(plan.name(), seconds))?,
        Format::Human => {
            output::result(&summary::text(&plan, &tally, seconds, interrupted, &shown)?)?;
        }
    }
    if !has_input && tally.resumed == 0 && !interrupted {
        output::message(&no_input(&plan));
    }
    output::exported(not_exported, "file");
    Ok(if interrupted {
        exit::INTERRUPTED
    } else if tally.has_findings() || not_exported > 0 {
        exit::FINDINGS
    } else {
        exit::SUCCESS
    })
}

/// Returns the message for an invocation without orders and without runs to resume.
fn no_input(plan: &Plan) -> String {
    let samples = match plan.samples() {
        [] => "",
        _ => ", or `--samples` to run the pipeline's samples",
    };
    format!("no orders to run; use `--input FILE` to run the orders in a file{samples}")
}

fn sources(args: &Args, plan: &Plan, fresh: bool) -> anyhow::Result<Vec<Source>> {
    let mut sources = Vec::new();
    for input in &args.input {
        if input.as_os_str() != "-" {
            sources.push(Source::File(input.clone()));
            continue;
        }
        let name = match (&args.name, plan.order().key_is_name()) {
            (Some(name), _) => name.clone(),
            (None, false) => "stdin".to_owned(),
            (None, true) => {
                let message = "the orders of this pipeline get their key from the name of their input; add `--name` for standard input";
                return Err(Usage(message.to_owned()).into());
            }
        };
        sources.push(Source::Stdin(name));
    }
    // Samples are not run by default if their e-mails leave this machine, or if they call services.
    let alone = sources.is_empty() && args.watch.is_none();
    let reaches_out = args.options.mail.sends_mail(args.options.target.mails())
        || plan.steps().iter().any(PlannedStep::calls_service);
    if args.samples || (alone && fresh && !reaches_out) {
        let folder = args.pipeline.parent().map_or_else(PathBuf::new, std::path::Path::to_owned);
        sources.extend(plan.samples().iter().map(|path| Source::File(folder.join(path))));
    }
    Ok(sources)
}

/// An invocation of `oms run`: its runner and the sources of its orders.
struct Call {
    runner: Arc<Runner>,
    plan: Arc<Plan>,
    sources: Vec<Source>,
    watch: Option<PathBuf>,
    waits: WaitMessages,
}

impl Call {
    async fn run(mut self) -> anyhow::Result<(Tally, f64, bool)> {
        let started = start_time();
        let (orders, queue) = mpsc::channel(READ_AHEAD);
        let (settled, mut outcomes) = mpsc::unbounded_channel();
        let stopped = signals::listen(Signals::Interrupt)?;
        let bytes_read = Arc::new(AtomicU64::new(0));
        let total = total_bytes(&self.sources);
        let (replies, mut findings) = reply_queue();
        let reading = self.reading(orders, replies, &bytes_read, stopped.clone());
        let resume = self.runner.open_runs()?;
        let mut tally = Tally { resumed: resume.len() as u64, ..Tally::default() };
        let mut progress = Progress::new(total);
        let watched = stopped.clone();
        let runner = Arc::clone(&self.runner);
        let mut work =
            tokio::spawn(async move { runner.run(resume, queue, &settled, stopped).await });
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        let mut has_replies = true;
        let outcome = loop {
            tokio::select! {
                settled = outcomes.recv() => match settled {
                    Some(settled) => {
                        tally.add(&settled);
                        if let WorkResult::OnlyWaiting { id, until } = settled
                            && let Some(line) = self.waits.next(&self.runner, id, until, tally.waiting)?
                        {
                            progress.message(&line);
                        }
                    }
                    None => break (&mut work).await,
                },
                reply = findings.next(), if has_replies => match reply {
                    Some((origin, reply)) => findings.print(&origin, &reply, &progress),
                    None => has_replies = false,
                },
                _ = tick.tick() => {
                    progress.update(bytes_read.load(Ordering::Relaxed), tally.ended(), started.elapsed());
                }
            }
        };
        let seconds = started.elapsed().as_secs_f64();
        progress.finish();
        findings.end(&progress).await;
        let interrupted = *watched.borrow();
        match outcome {
            Ok(result) => result?,
            Err(error) => match error.try_into_panic() {
                Ok(panic) => std::panic::resume_unwind(panic),
                Err(error) => return Err(error.into()),
            },
        }
        if interrupted {
            return Ok((tally, seconds, true));
        }
        let failed = reading.await.context("the reader of the input failed")?;
        match failed {
            Some((path, error)) => Err(error).context(format!("cannot read `{path}`")),
            None => Ok((tally, seconds, false)),
        }
    }

    /// Reads the sources on a separate thread, because reading blocks. The task returns the source
    /// that could not be read, if any.
    fn reading(
        &self,
        work: mpsc::Sender<Work>,
        replies: ReplyQueue,
        bytes_read: &Arc<AtomicU64>,
        stop: watch::Receiver<bool>,
    ) -> tokio::task::JoinHandle<Option<(String, std::io::Error)>> {
        let reader = Reader { plan: Arc::clone(&self.plan), bytes_read: Arc::clone(bytes_read) };
        let (sources, folder) = (self.sources.clone(), self.watch.clone());
        tokio::task::spawn_blocking(move || {
            for source in &sources {
                let mut each = |mut order, origin| {
                    replies.expect(&mut order, origin);
                    work.blocking_send(Work::Order(order)).is_ok()
                };
                if let Err(error) = reader.read(source, &mut each) {
                    let path = match source {
                        Source::File(path) | Source::Moved { path, .. } => {
                            path.display().to_string()
                        }
                        Source::Stdin(_) => "standard input".to_owned(),
                    };
                    return Some((path, error));
                }
            }
            let folder = WatchedFolder { path: folder?, reader, work, replies, stop };
            let failed = folder.watch().err();
            failed.map(|(path, error)| (path.display().to_string(), error))
        })
    }
}

/// Prints the number of runs that were parked earlier, because they do not continue by themselves.
fn report_parked(runner: &Runner, target: &str) -> anyhow::Result<()> {
    let open = runner.count_open()?;
    let parked = open.iter().find(|(state, _)| *state == RunState::Parked);
    if let Some((_, count)) = parked {
        let count = u64::try_from(*count).unwrap_or_default();
        let are = if count == 1 { "is" } else { "are" };
        output::message(&format!(
            "{} {are} still parked; list with: oms runs list {target} --state parked",
            format_quantity(count, "run")
        ));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the summary contains the duration")]
fn start_time() -> Instant {
    Instant::now()
}

fn total_bytes(sources: &[Source]) -> Option<u64> {
    sources.iter().try_fold(0, |sum, source| match source {
        Source::File(path) | Source::Moved { path, .. } => {
            std::fs::metadata(path).ok().map(|metadata| sum + metadata.len())
        }
        Source::Stdin(_) => None,
    })
}

//! `oms run`: brings back what was left, then runs the orders of each input.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use oms_clock::SystemClock;
use oms_engine::plan::Plan;
use oms_engine::run::RunState;
use oms_engine::step::StepKind;
use oms_runtime::{Runner, Settings, Settled, Work};
use tokio::sync::{mpsc, watch};

use crate::check;
use crate::commands::Format;
use crate::directory::DirectoryFiles;
use crate::dropped::Folder;
use crate::exit::{self, Usage};
use crate::input::{Reader, Source};
use crate::interrupt::{self, Asks};
use crate::mailing::MailOption;
use crate::output;
use crate::progress::Progress;
use crate::refused::{Asked, answers};
use crate::state;
use crate::summary;
use crate::tally::Tally;
use crate::waits::Waits;
use crate::world::WorldOption;

/// Run orders through a pipeline, durably
///
/// First goes on with what an earlier call left, then runs the orders of each input: one JSON document a file, or one a line (NDJSON).
/// In a new state directory, without input, it runs the pipeline's samples. Ends when nothing is left that can go on.
/// Example: oms run pipelines/storefront.yaml --input orders.ndjson
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// The pipeline file
    pipeline: PathBuf,
    #[arg(hide = true, value_name = "FILE")]
    without_option: Vec<PathBuf>,
    /// A file of orders, or `-` for standard input; may be given several times
    #[arg(long, value_name = "FILE")]
    input: Vec<PathBuf>,
    /// Then take in the files of orders that are dropped into this folder, until Ctrl-C: each is moved to `done` in it, or to `refused` if an
    /// order of it was not accepted
    #[arg(long, value_name = "DIR")]
    watch: Option<PathBuf>,
    /// Run the pipeline's samples
    #[arg(long)]
    samples: bool,
    /// The name under which orders of standard input come in (`intake.name`)
    #[arg(long)]
    name: Option<String>,
    /// Where the state lives, by default `.oms/<name>` beside the pipeline file
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    world: WorldOption,
    /// Orders that are under way at the same time at the most
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Also write objects and mails as files below this folder, as they come: `objects/BUCKET/KEY`, with the names of `oms objects export`, and the
    /// Maildir `mail`. A file that cannot be written is reported, and the next call with `--export` writes it
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    #[command(flatten)]
    mail: MailOption,
    /// How the summary is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Orders that are read ahead.
const READ_AHEAD: usize = 512;
/// Bytes of a worker's stack: reading a deeply nested pipeline back from its bundle takes more than the usual two megabytes.
pub(crate) const STACK_BYTES: usize = 8 << 20;
/// Milliseconds between two looks at the progress.
const TICK_MS: u64 = 100;

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    if let Some(path) = args.without_option.first() {
        let path = path.display();
        let message =
            format!("`oms run` takes one pipeline; for a file of orders write `--input {path}`");
        return Err(Usage(message).into());
    }
    let checker = check::checker_for(kinds, args.world.target())?;
    let Some(plan) = check::plan(&checker, &args.pipeline)? else { return Ok(exit::FINDINGS) };
    let directory =
        args.state_dir.clone().unwrap_or_else(|| state::directory(&args.pipeline, plan.name()));
    let fresh = !directory.join(oms_sqlite::DATABASE_FILE).exists();
    let sources = sources(&args, &plan, fresh)?;
    for source in &sources {
        if let Source::File(path) = source {
            std::fs::metadata(path)
                .with_context(|| format!("`{}` cannot be read", path.display()))?;
        }
    }
    let (files, name) = DirectoryFiles::of(&args.pipeline);
    let outside = args.world.outside()?;
    let settings = Settings {
        concurrency: args.concurrency.into(),
        export: args.export.clone().map(output::export),
        mail: args.mail.mailing(&plan, outside.as_ref())?,
        remote: outside.map(|outside| outside.remote),
        ..Settings::new(SystemClock)
    };
    let runner = Arc::new(Runner::open(&directory, &plan, &checker, &name, &files, settings)?);
    output::say_skipped_seeds(&runner);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(STACK_BYTES)
        .enable_all()
        .build()?;
    let (plan, watch) = (Arc::clone(&plan), args.watch.clone());
    let world = format!("{}{}", args.world.shown(), args.mail.shown());
    let tables = args.world.tables_elsewhere();
    let shown = summary::State { directory: &directory, pipeline: &args.pipeline, world, tables };
    let waits = Waits::new(format!("{}{}", shown.argument(&plan), shown.world));
    say_parked(&runner, &shown.argument(&plan))?;
    let call = Call { runner: Arc::clone(&runner), plan: Arc::clone(&plan), sources, watch, waits };
    let result = runtime.block_on(call.run());
    // Interrupted, the thread that reads standard input may wait for a line that never comes.
    runtime.shutdown_background();
    let not_exported = runner.count_not_exported();
    let runner = Arc::into_inner(runner).context("a run is still under way")?;
    // What stopped the writer explains what its users saw.
    runner.close()?;
    let (tally, seconds, interrupted) = result?;
    match args.format {
        Format::Json => output::json(&tally.line(plan.name(), seconds))?,
        Format::Human => {
            output::answer(&summary::text(&plan, &tally, seconds, interrupted, &shown)?)?;
        }
    }
    output::exported(not_exported, "file");
    Ok(if interrupted {
        exit::INTERRUPTED
    } else if tally.has_findings() || not_exported > 0 {
        exit::FINDINGS
    } else {
        exit::FINE
    })
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
                let message = "this pipeline's orders are named by how they come in; give standard input a --name";
                return Err(Usage(message.to_owned()).into());
            }
        };
        sources.push(Source::Stdin(name));
    }
    // Samples are only mailed to somebody if that is asked for.
    let alone = sources.is_empty() && args.watch.is_none();
    if args.samples || (alone && fresh && !args.mail.leaves(args.world.mails())) {
        let folder = args.pipeline.parent().map_or_else(PathBuf::new, std::path::Path::to_owned);
        sources.extend(plan.samples().iter().map(|path| Source::File(folder.join(path))));
    }
    Ok(sources)
}

/// One call: its runner and where its orders come from.
struct Call {
    runner: Arc<Runner>,
    plan: Arc<Plan>,
    sources: Vec<Source>,
    watch: Option<PathBuf>,
    waits: Waits,
}

impl Call {
    async fn run(mut self) -> anyhow::Result<(Tally, f64, bool)> {
        let begun = now();
        let (orders, queue) = mpsc::channel(READ_AHEAD);
        let (settled, mut outcomes) = mpsc::unbounded_channel();
        let stopped = interrupt::listen(Asks::Interrupt)?;
        let bytes_read = Arc::new(AtomicU64::new(0));
        let total = total_bytes(&self.sources);
        let (asked, mut findings) = answers();
        let reading = self.reading(orders, asked, &bytes_read, stopped.clone());
        let resume = self.runner.open_runs()?;
        let mut tally = Tally { resumed: resume.len() as u64, ..Tally::default() };
        let mut progress = Progress::new(total);
        let watched = stopped.clone();
        let runner = Arc::clone(&self.runner);
        let mut work =
            tokio::spawn(async move { runner.run(resume, queue, &settled, stopped).await });
        let mut tick = tokio::time::interval(Duration::from_millis(TICK_MS));
        let mut reads = true;
        let outcome = loop {
            tokio::select! {
                settled = outcomes.recv() => match settled {
                    Some(settled) => {
                        tally.add(&settled);
                        if let Settled::OnlyWaits { id, until } = settled
                            && let Some(line) = self.waits.line(&self.runner, id, until, tally.waiting)?
                        {
                            progress.say(&line);
                        }
                    }
                    None => break (&mut work).await,
                },
                answer = findings.next(), if reads => match answer {
                    Some((origin, answer)) => findings.print(&origin, &answer, &progress),
                    None => reads = false,
                },
                _ = tick.tick() => {
                    progress.update(bytes_read.load(Ordering::Relaxed), tally.ended(), begun.elapsed());
                }
            }
        };
        let seconds = begun.elapsed().as_secs_f64();
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
        let failed = reading.await.context("the reader ended")?;
        match failed {
            Some((path, error)) => Err(error).context(format!("`{path}` cannot be read")),
            None => Ok((tally, seconds, false)),
        }
    }

    /// Reads the sources on a thread of its own, since reading blocks. Gives the source that could not be read, if there is one.
    fn reading(
        &self,
        work: mpsc::Sender<Work>,
        asked: Asked,
        bytes_read: &Arc<AtomicU64>,
        stop: watch::Receiver<bool>,
    ) -> tokio::task::JoinHandle<Option<(String, std::io::Error)>> {
        let reader =
            Reader { bytes_max: self.plan.order().max_bytes(), bytes_read: Arc::clone(bytes_read) };
        let (sources, folder) = (self.sources.clone(), self.watch.clone());
        tokio::task::spawn_blocking(move || {
            for source in &sources {
                let mut each = |mut order, origin| {
                    asked.note(&mut order, origin);
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
            let folder = Folder { path: folder?, reader, work, asked, stop };
            let failed = folder.watch().err();
            failed.map(|(path, error)| (path.display().to_string(), error))
        })
    }
}

/// Mentions the runs that earlier calls left parked: nothing goes on with them by itself.
fn say_parked(runner: &Runner, target: &str) -> anyhow::Result<()> {
    let open = runner.count_open()?;
    let parked = open.iter().find(|(state, _)| *state == RunState::Parked);
    if let Some((_, count)) = parked {
        let count = u64::try_from(*count).unwrap_or_default();
        let are = if count == 1 { "is" } else { "are" };
        output::say(&format!(
            "{} {are} parked from earlier; list with: oms runs list {target} --state parked",
            output::counted(count, "run")
        ));
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the summary says how long the call took")]
fn now() -> Instant {
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

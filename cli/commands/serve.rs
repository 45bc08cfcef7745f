//! `oms serve`: orders over HTTP.

mod pipeline_file;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use oms_engine::plan::{Plan, overlapping_intakes};
use oms_engine::step::StepKind;
use oms_runtime::{Listener, Runner, Settings, check_settings};
use oms_serve::{Opened, Site, Tls, Traces};

use self::pipeline_file::PipelineFile;
use crate::check;
use crate::directory::DirectoryFiles;
use crate::exit::{self, Usage};
use crate::output;
use crate::render;
use crate::runtime;
use crate::signals::{self, Signals};
use crate::targets::run_options::RunOptions;
use crate::targets::services::ReloadedServices;
use crate::targets::state;
use crate::targets::webhooks;

/// Accept orders over HTTP and run them
///
/// A `PUT` request to a pipeline's intake path gets its response when the order is on disk: 201 for
/// a new order, 200 for a duplicate. Another order with the same key is rejected with 409. A path
/// without `{key}` is for `POST` requests, such as webhooks.
/// `/openapi.json` describes the API. On a loopback address, no API key is required until you
/// create an API key with `oms keys add`.
///
/// Example: oms serve pipelines/storefront.yaml pipelines/order-management.yaml
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Pipeline files
    #[arg(required = true)]
    pipelines: Vec<PathBuf>,
    /// Address to listen on
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// State directory of a single pipeline, by default `.oms/<name>` next to each pipeline file
    #[arg(long, value_name = "DIR")]
    state_dir: Option<PathBuf>,
    #[command(flatten)]
    options: RunOptions,
    /// PEM file with the TLS certificate chain; without it, connections are not encrypted
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// PEM file with the private key of the certificate
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Log each request to standard error as a line of JSON without personal data
    #[arg(long)]
    access_log: bool,
}

/// Timeout for the export of the last spans during shutdown.
const LAST_SPANS: Duration = Duration::from_secs(2);

/// Returns whether the standard environment variables enable traces (OpenTelemetry specification,
/// "General SDK Configuration").
#[expect(clippy::disallowed_methods, reason = "these variables are a standard")]
fn traces_enabled() -> bool {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let endpoints = ["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"];
    let off = variable("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
        || variable("OTEL_TRACES_EXPORTER").is_some_and(|value| value == "none");
    !off && endpoints.into_iter().any(|name| variable(name).is_some())
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    if args.state_dir.is_some() && args.pipelines.len() > 1 {
        let message = "`--state-dir` can be used only with a single pipeline; without it, each pipeline uses its own state directory";
        return Err(Usage(message.to_owned()).into());
    }
    let tls = match (&args.tls_cert, &args.tls_key) {
        (Some(certificate), Some(key)) => Some(Tls::read(certificate, key)?),
        _ => None,
    };
    let checker = check::checker_for(kinds, args.options.target.target())?;
    let mut checked = Vec::new();
    for pipeline in &args.pipelines {
        let pipeline = check::check_and_print(&checker, pipeline)?;
        if pipeline.plan.is_none() {
            return Ok(exit::FINDINGS);
        }
        checked.push(pipeline);
    }
    let overlapping = overlapping_intakes(&checked);
    if !overlapping.is_empty() {
        let mut report = oms_engine::diagnostic::Report::new();
        overlapping.into_iter().for_each(|diagnostic| report.push(diagnostic));
        output::message(render::human(&report, output::color_on_stderr()).trim_end());
        return Ok(exit::FINDINGS);
    }
    let plans: Vec<Arc<Plan>> =
        checked.into_iter().filter_map(|checked| checked.plan).map(Arc::new).collect();
    for plan in &plans {
        check_settings(plan)?;
    }
    let mut verifiers = Vec::new();
    for plan in &plans {
        verifiers.push(webhooks::verifier(plan)?);
    }
    let (traces, sender) = match traces_enabled() {
        true => {
            let (traces, sender) = Traces::start()?;
            (Some(Arc::new(traces) as Arc<dyn Listener>), Some(sender))
        }
        false => (None, None),
    };
    let mut opened = Vec::new();
    for ((pipeline, plan), verifier) in args.pipelines.iter().zip(&plans).zip(verifiers) {
        let directory =
            args.state_dir.clone().unwrap_or_else(|| state::directory(pipeline, plan.name()));
        let services = ReloadedServices::new(traces.is_some());
        let connected = services.of_plan(plan)?;
        let settings = Settings {
            listener: traces.clone(),
            waits_for_disk_space: true,
            accepts_while_stalled: true,
            ..args.options.settings(plan, args.pipelines.len() > 1, connected)?
        };
        let (files, name) = DirectoryFiles::of(pipeline);
        let runner = Runner::open(&directory, plan, &checker, &name, &files, settings)?;
        output::skipped_seeds(&runner);
        let source =
            PipelineFile { path: pipeline.clone(), checker: Arc::clone(&checker), services };
        let (plan, source) = (Arc::clone(plan), Arc::new(source));
        opened.push(Opened { plan, runner, directory, source, verifier });
    }
    let runtime = runtime::multi_thread()?;
    drop(traces);
    let sending =
        sender.map(|sender| runtime.spawn(sender.run(|message| output::message(&message))));
    let scheme = if tls.is_some() { "https" } else { "http" };
    let (site, result) = runtime.block_on(async {
        let listener = oms_serve::bind(args.listen);
        let listener = listener.with_context(|| format!("cannot listen on `{}`", args.listen))?;
        let address = listener.local_addr()?;
        let (site, workers) = Site::start(opened, address, args.access_log, tls.is_some())?;
        for plan in &plans {
            let Some(intake) = plan.intake() else { continue };
            let method = if intake.has_key() { "PUT" } else { "POST" };
            output::result(&format!("{method} {scheme}://{address}{}\n", intake.path))?;
        }
        output::result(&format!("console {scheme}://{address}/console/\n"))?;
        output::message(
            "press Ctrl-C or send SIGTERM to stop; accepted orders continue after the next start",
        );
        let mut signals = signals::listen(Signals::InterruptOrTerminate)?;
        let stop = async move {
            // The sender lives as long as the process.
            let _ended = signals.wait_for(|stop| *stop).await;
        };
        let result = oms_serve::listen(&site, workers, listener, tls, stop).await;
        anyhow::Ok((site, result))
    })?;
    let Some(runners) = site.into_runners() else {
        result?;
        anyhow::bail!("a request is still in progress");
    };
    let mut closed = Ok(());
    for runner in runners {
        closed = closed.and(runner.close());
    }
    // Exports the last spans if the collector responds in time.
    if let Some(sending) = sending {
        let _late = runtime.block_on(async { tokio::time::timeout(LAST_SPANS, sending).await });
    }
    runtime.shutdown_timeout(Duration::from_secs(1));
    // The writer's error is the cause of the others.
    closed?;
    result?;
    Ok(exit::SUCCESS)
}

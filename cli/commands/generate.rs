//! `oms generate`: files that deploy a pipeline.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Subcommand;
use oms_engine::document::Files as _;
use oms_engine::plan::{Plan, Target, choreography};
use oms_engine::step::StepKind;
use oms_lambda_generate::{Origin, generate};

use crate::check;
use crate::directory::DirectoryFiles;
use crate::exit;
use crate::output;

/// Write what deploys a pipeline
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Write AWS Lambda handlers in Rust, the template that deploys them, and the rights that they need
    ///
    /// The same pipeline gives the same bytes. What is not generated in the folder is left alone.
    /// Example: oms generate lambda pipelines/storefront.yaml --out deploy/storefront
    Lambda {
        /// The pipeline file
        pipeline: PathBuf,
        /// The folder to write to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Write nothing, and fail if the folder is not what would be written
        #[arg(long)]
        check: bool,
        /// Which exchange rates handlers bill with: those of the pipeline's file, or a copy in S3 that a scheduled handler brings up to date
        #[arg(long, value_enum, default_value_t)]
        rates: Rates,
        /// Where the crates are that handlers are linked with: a path from the generated folder, by default the registry
        #[arg(long, value_name = "PATH")]
        crates: Option<String>,
    },
}

/// Which exchange rates handlers bill with.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rates {
    /// Those of the pipeline's file, until the handlers are generated again
    #[default]
    Embedded,
    /// The ECB's, as they were when an order was accepted
    Refreshed,
}

/// The folder of handlers, each of which has a folder of embedded files that belongs to the generator alone.
const HANDLERS: &str = "handlers";
const EMBEDDED: &str = "bundle";

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Command::Lambda { pipeline, out, check, rates, crates } = args.command;
    let checker = check::checker_for(kinds, Target::Lambda)?;
    let Some(plan) = check::plan(&checker, &pipeline)? else { return Ok(exit::FINDINGS) };
    let Ok(choreography) = choreography(&plan) else { return Ok(exit::FINDINGS) };
    let (_, name) = DirectoryFiles::of(&pipeline);
    let at = crates.as_ref().map(|path| format!(" --crates {path}")).unwrap_or_default();
    let refresh = rates == Rates::Refreshed;
    let with = if refresh { " --rates refreshed" } else { "" };
    let regenerate = format!("oms generate lambda {name} --out .{with}{at}");
    let sample = sample(&plan, &pipeline);
    let origin = Origin { pipeline: name, regenerate, crates, refresh, sample };
    let files = generate(&plan, &choreography, &origin, &checker)?;
    let mut stale = BTreeSet::new();
    for (path, content) in &files {
        let place = out.join(path);
        if std::fs::read(&place).is_ok_and(|there| there == *content) {
            continue;
        }
        stale.insert(path.clone());
        if !check {
            write(&place, content)?;
        }
    }
    for path in embedded(&out) {
        if !files.contains_key(&path) {
            if !check {
                let place = out.join(&path);
                std::fs::remove_file(&place)
                    .with_context(|| format!("`{}` cannot be deleted", place.display()))?;
            }
            stale.insert(path);
        }
    }
    let shown = out.display();
    if check {
        for path in &stale {
            output::say(&format!("{}: not what would be generated", out.join(path).display()));
        }
        if !stale.is_empty() {
            output::say(&format!(
                "write it again: oms generate lambda {} --out {shown}",
                pipeline.display()
            ));
            return Ok(exit::FINDINGS);
        }
        output::say(&format!("{shown} is what would be generated"));
        return Ok(exit::FINE);
    }
    output::say(&format!(
        "{shown}: {} of {} written; `{shown}/README.md` says how to deploy them",
        stale.len(),
        output::counted(files.len() as u64, "file")
    ));
    Ok(exit::FINE)
}

/// Reads the pipeline's first sample, with the name that it comes in under.
fn sample(plan: &Plan, pipeline: &Path) -> Option<(String, Vec<u8>)> {
    let path = plan.samples().first()?;
    let bytes = DirectoryFiles::of(pipeline).0.read(path).ok()?;
    Some((Path::new(path).file_stem()?.to_string_lossy().into_owned(), bytes.to_vec()))
}

fn write(place: &Path, content: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("`{}` cannot be written", place.display());
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).with_context(failed)?;
    }
    std::fs::write(place, content).with_context(failed)
}

/// Returns the embedded files that are there, by their paths below the folder.
fn embedded(out: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let handlers = std::fs::read_dir(out.join(HANDLERS)).into_iter().flatten().flatten();
    let mut folders: Vec<String> = handlers
        .map(|entry| format!("{HANDLERS}/{}/{EMBEDDED}", entry.file_name().to_string_lossy()))
        .collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(out.join(&folder)) else { continue };
        for entry in entries.flatten() {
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found
}

//! `oms generate lambda`: AWS Lambda handlers and their deployment files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oms_engine::document::Files as _;
use oms_engine::plan::{Plan, Target, choreography};
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_lambda_generate::{Origin, generate, risky_changes};

use crate::check;
use crate::directory::DirectoryFiles;
use crate::exit;
use crate::output;

/// Generate AWS Lambda handlers in Rust, with their deployment template and permissions
///
/// The output is deterministic. Overwrites the generated files, and deletes files in `crates` and in
/// the handlers' `bundle` folders that are no longer needed. All other files stay unchanged.
///
/// Example: oms generate lambda pipelines/storefront.yaml --out deploy/storefront
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Pipeline file
    pipeline: PathBuf,
    /// Output folder
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Write nothing, and fail if the files in the folder are not up to date
    #[arg(long)]
    check: bool,
    /// Folder with the deployed handlers; warn of changes that would park accepted orders or repeat
    /// effects
    ///
    /// A handler processes accepted orders with the pipeline that it embeds. With `--check`, such
    /// changes are an error.
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// Source of the exchange rates
    #[arg(long, value_enum, default_value_t)]
    rates: Rates,
    /// JSON file with prices and assumptions for the costs in `README.md`; start with a copy of the
    /// generated `prices.json`
    #[arg(long, value_name = "FILE")]
    prices: Option<PathBuf>,
    /// Path to a checkout of `oms`, relative to the output folder; by default, the folder contains
    /// the sources of the crates and a lock file
    #[arg(long, value_name = "PATH")]
    crates: Option<String>,
}

/// The source of the exchange rates.
#[derive(clap::ValueEnum, Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Rates {
    /// The pipeline's rates file; to update the rates, generate the handlers again
    #[default]
    Embedded,
    /// A copy of the ECB's rates in S3, updated by a scheduled handler; each order uses the rates
    /// from the time of its acceptance
    Refreshed,
}

/// The folder of the handlers. Each handler has a folder of embedded files.
const HANDLERS: &str = "handlers";
const EMBEDDED: &str = "bundle";
/// The folder of the crates that the handlers link.
const CRATES: &str = "crates";

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { pipeline, out, check, against, rates, prices, crates } = args;
    let checker = check::checker_for(kinds, Target::Lambda)?;
    let Some(plan) = check::plan(&checker, &pipeline)? else { return Ok(exit::FINDINGS) };
    let Ok(choreography) = choreography(&plan) else { return Ok(exit::FINDINGS) };
    let (_, name) = DirectoryFiles::of(&pipeline);
    let at = crates.as_ref().map(|path| format!(" --crates {path}")).unwrap_or_default();
    let refresh = rates == Rates::Refreshed;
    let with = if refresh { " --rates refreshed" } else { "" };
    let options = |prices: Option<&str>| {
        format!("{with}{}{at}", prices.map(|path| format!(" --prices {path}")).unwrap_or_default())
    };
    let sample = sample(&plan, &pipeline);
    let prices = prices.as_deref().map(read_prices).transpose()?;
    let given = options(prices.as_ref().map(|(path, _)| path.as_str()));
    // The folder contains a copy of the price file.
    let options = options(prices.as_ref().map(|_| "prices.json"));
    let file = name.clone();
    let origin = Origin { pipeline: name, options, crates, refresh, sample, prices };
    let files = generate(&plan, &choreography, &origin, &checker)?;
    let risky = match &against {
        Some(deployed) => {
            let found = risky_changes(&embedded_files(deployed)?, &files, &file);
            found.with_context(|| format!("cannot compare with `{}`", deployed.display()))?
        }
        None => Vec::new(),
    };
    for change in &risky {
        output::message(&format!("warning: {change}"));
    }
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
    for path in generated_only(&out) {
        if !files.contains_key(&path) {
            if !check {
                let place = out.join(&path);
                std::fs::remove_file(&place)
                    .with_context(|| format!("cannot delete `{}`", place.display()))?;
            }
            stale.insert(path);
        }
    }
    let shown = out.display();
    if check {
        for path in &stale {
            output::message(&format!("{}: not up to date", out.join(path).display()));
        }
        if !stale.is_empty() {
            output::message(&format!(
                "generate the files again: oms generate lambda {} --out {shown}{given}",
                pipeline.display()
            ));
            return Ok(exit::FINDINGS);
        }
        output::message(&format!("{shown}: up to date"));
        return Ok(if risky.is_empty() { exit::SUCCESS } else { exit::FINDINGS });
    }
    output::message(&format!(
        "{shown}: {} of {} written; `{shown}/README.md` explains the deployment",
        stale.len(),
        format_quantity(files.len() as u64, "file")
    ));
    Ok(exit::SUCCESS)
}

/// Reads the pipeline's first sample with its name.
fn sample(plan: &Plan, pipeline: &Path) -> Option<(String, Vec<u8>)> {
    let path = plan.samples().first()?;
    let bytes = DirectoryFiles::of(pipeline).0.read(path).ok()?;
    Some((Path::new(path).file_stem()?.to_string_lossy().into_owned(), bytes.to_vec()))
}

/// Reads a price file with its path.
fn read_prices(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let shown = path.display().to_string();
    let json = std::fs::read(path).with_context(|| format!("cannot read `{shown}`"))?;
    Ok((shown, json))
}

fn write(place: &Path, content: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("cannot write `{}`", place.display());
    if let Some(folder) = place.parent() {
        std::fs::create_dir_all(folder).with_context(failed)?;
    }
    std::fs::write(place, content).with_context(failed)
}

/// Reads the files that the handlers in a generated folder embed, by their paths.
fn embedded_files(folder: &Path) -> anyhow::Result<BTreeMap<String, Vec<u8>>> {
    anyhow::ensure!(
        folder.join(HANDLERS).is_dir(),
        "`{}` contains no generated handlers",
        folder.display()
    );
    let paths = generated_only(folder).into_iter();
    paths
        .filter(|path| path.starts_with(HANDLERS))
        .map(|path| {
            let place = folder.join(&path);
            let bytes = std::fs::read(&place);
            let bytes = bytes.with_context(|| format!("cannot read `{}`", place.display()))?;
            Ok((path, bytes))
        })
        .collect()
}

/// Returns the paths of the existing files in folders that contain only generated files, relative to
/// the output folder.
fn generated_only(out: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let handlers = std::fs::read_dir(out.join(HANDLERS)).into_iter().flatten().flatten();
    let mut folders: Vec<String> = handlers
        .map(|entry| format!("{HANDLERS}/{}/{EMBEDDED}", entry.file_name().to_string_lossy()))
        .chain([CRATES.to_owned()])
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

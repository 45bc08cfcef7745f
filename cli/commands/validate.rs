//! `oms validate`: reports all findings in all files at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use oms_engine::diagnostic::Report;
use oms_engine::document::{self, Files as _};
use oms_engine::plan::{Target, overlapping_intakes};
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;

use crate::check;
use crate::directory::DirectoryFiles;
use crate::exit;
use crate::output;
use crate::render::{self, FileSummary};

/// Check pipeline files
///
/// Reports all findings in all files at once, each with its location and code (see `oms explain`),
/// and most of them with a fix.
///
/// Example: oms validate pipelines/storefront.yaml
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    /// Pipeline files or folders with pipeline files, by default `pipelines`
    paths: Vec<PathBuf>,
    /// Target of the pipelines
    ///
    /// With `postgres`, `aws` and `lambda`, also reports operations that are unsafe with tables in
    /// an external database. With `lambda`, also reports features that AWS Lambda does not support.
    #[arg(long, value_enum, default_value = "local")]
    target: TargetArg,
    /// Also fail on these findings, not only on errors
    #[arg(long, value_enum)]
    deny: Option<Deny>,
    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: render::Format,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum TargetArg {
    /// One process with a state directory
    Local,
    /// One process with tables on a PostgreSQL server
    Postgres,
    /// One process with tables in Aurora
    Aws,
    /// Generated AWS Lambda handlers
    Lambda,
}

impl From<TargetArg> for Target {
    fn from(target: TargetArg) -> Self {
        match target {
            TargetArg::Local => Self::Local,
            TargetArg::Postgres | TargetArg::Aws => Self::Database,
            TargetArg::Lambda => Self::Lambda,
        }
    }
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Deny {
    /// Warnings
    Warnings,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let checker = check::checker_for(kinds, args.target.into())?;
    let paths = if args.paths.is_empty() { vec![PathBuf::from("pipelines")] } else { args.paths };
    let mut found = PipelineFiles::default();
    for path in &paths {
        found.add(path)?;
    }
    let PipelineFiles { files, skipped } = found;
    let checked: Vec<_> = files.iter().map(|path| check::check(&checker, path)).collect();
    let overlaps = overlapping_intakes(&checked);
    let mut summaries = Vec::with_capacity(files.len());
    let mut report = Report::new();
    for (path, checked) in files.iter().zip(checked) {
        if let Some(plan) = &checked.plan {
            check::print_unset_settings(plan, path);
        }
        let steps = checked.plan.is_some().then_some(checked.steps);
        summaries.push(FileSummary::new(path.display().to_string(), &checked.report, steps));
        report.merge(checked.report);
    }
    for overlap in overlaps {
        if let Some(label) = overlap.primary()
            && let Some(summary) = summaries.iter_mut().find(|summary| *summary.path == *label.path)
        {
            summary.errors += 1;
            summary.steps = None;
        }
        report.push(overlap);
    }
    if skipped > 0 {
        let files = format_quantity(skipped as u64, "YAML file");
        let (are, tests) = match skipped {
            1 => ("that is not a pipeline", "a test of a pipeline"),
            _ => ("that are not pipelines", "tests of a pipeline"),
        };
        output::message(&format!("skipped {files} {are}: no top-level `oms`, or {tests}"));
    }
    output::result(&args.format.render(&report, &summaries, output::color_on_stdout()))?;
    let denied = args.deny == Some(Deny::Warnings) && report.warnings() > 0;
    Ok(if report.is_ok() && !denied { exit::SUCCESS } else { exit::FINDINGS })
}

/// The pipeline files that were found.
#[derive(Default)]
struct PipelineFiles {
    files: Vec<PathBuf>,
    /// Number of YAML files that were skipped, because they are not pipelines.
    skipped: usize,
}

impl PipelineFiles {
    /// Adds a file, or the pipeline files directly in a folder.
    fn add(&mut self, path: &Path) -> anyhow::Result<()> {
        let failed = || format!("cannot read `{}`", path.display());
        if !std::fs::metadata(path).with_context(failed)?.is_dir() {
            self.files.push(path.to_owned());
            return Ok(());
        }
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path).with_context(failed)? {
            let path = entry.with_context(failed)?.path();
            let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
            if !matches!(ending, "yaml" | "yml") || !path.is_file() {
                continue;
            }
            if is_pipeline(&path) {
                files.push(path);
            } else {
                self.skipped += 1;
            }
        }
        files.sort();
        anyhow::ensure!(!files.is_empty(), "`{}` contains no pipeline", path.display());
        self.files.append(&mut files);
        Ok(())
    }
}

/// Returns whether a YAML file is a pipeline: it has a top-level `oms` and is not a test. A file
/// that cannot be read counts as a pipeline, so that the check reports the error.
fn is_pipeline(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    if name.ends_with(".test.yaml") || name.ends_with(".test.yml") {
        return false;
    }
    let (files, file) = DirectoryFiles::of(path);
    let Ok(bytes) = files.read(&file) else { return true };
    match document::parse(&Arc::from(&*name), &bytes) {
        Ok(document) => document.root().get("oms").is_some(),
        // A file with invalid YAML is a pipeline if it looks like one.
        Err((text, _)) => {
            let begins = |line: &str| line.trim_start_matches('\u{feff}').starts_with("oms:");
            text.is_empty() || text.lines().any(begins)
        }
    }
}

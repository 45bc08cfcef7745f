//! The state that a command works on: that of a pipeline, or that of a given directory.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Args;
use oms_engine::diagnostic::quote;
use oms_engine::document::Files as _;
use oms_engine::plan::{Checker, Plan};
use oms_engine::step::StepKind;
use oms_runtime::Bundles;
use oms_sqlite::Reader;

use crate::check;
use crate::directory::DirectoryFiles;
use crate::exit::Usage;

const PIPELINE_MISSING: &str =
    "specify the pipeline file first, such as `pipelines/storefront.yaml`";

/// The pipeline or its state directory, and the other arguments.
#[derive(Args, Debug)]
pub(crate) struct StateArgs {
    /// State directory, by default `.oms/<name>` next to the pipeline file
    #[arg(long, value_name = "DIR")]
    pub(crate) state_dir: Option<PathBuf>,
    /// Pipeline file, followed by the command's other arguments, as in the example
    ///
    /// With `--state-dir`, the pipeline file is optional, except for the commands that need the
    /// current pipeline: `runs retry`, `runs cancel`, `runs prune`, `forget` and `db import`.
    #[arg(value_name = "PIPELINE")]
    arguments: Vec<String>,
}

/// A state directory and the other arguments.
pub(crate) struct ResolvedState {
    /// The pipeline file, if it was given.
    pub(crate) pipeline: Option<PathBuf>,
    /// The state directory.
    pub(crate) directory: PathBuf,
    /// Whether the state directory was given.
    named: bool,
    /// The other arguments.
    pub(crate) arguments: Vec<String>,
}

impl StateArgs {
    /// Splits the arguments and finds the state directory.
    ///
    /// # Errors
    /// Returns an error if neither a pipeline nor a state directory is given, or the pipeline
    /// cannot be read.
    pub(crate) fn find(self) -> anyhow::Result<ResolvedState> {
        self.find_or(&format!("{PIPELINE_MISSING}, or use `--state-dir`"))
    }

    /// Splits the arguments and finds the state directory, for a command that needs the current
    /// pipeline.
    ///
    /// # Errors
    /// Returns an error if neither a pipeline nor a state directory is given, or the pipeline
    /// cannot be read.
    pub(crate) fn find_for_current_plan(self) -> anyhow::Result<ResolvedState> {
        self.find_or(PIPELINE_MISSING)
    }

    /// Splits the arguments. `missing` is the message if they do not determine a state directory.
    fn find_or(self, missing: &str) -> anyhow::Result<ResolvedState> {
        let mut arguments = self.arguments;
        let is_pipeline =
            |argument: &str| argument.ends_with(".yaml") || argument.ends_with(".yml");
        let first = arguments.first().is_some_and(|argument| is_pipeline(argument));
        let pipeline = first.then(|| PathBuf::from(arguments.remove(0)));
        let named = self.state_dir.is_some();
        let directory = match (self.state_dir, &pipeline) {
            (Some(directory), _) => directory,
            (None, Some(pipeline)) => default_directory(pipeline)?,
            (None, None) => return Err(Usage(missing.to_owned()).into()),
        };
        Ok(ResolvedState { pipeline, directory, named, arguments })
    }
}

/// Returns the default state directory of a pipeline file.
fn default_directory(pipeline: &Path) -> anyhow::Result<PathBuf> {
    Ok(directory(pipeline, &name(pipeline)?))
}

/// Returns the name in a pipeline file, without checking the rest of the file.
///
/// # Errors
/// Returns an error if the file cannot be read, or has no name.
pub(crate) fn name(pipeline: &Path) -> anyhow::Result<String> {
    let shown: Arc<str> = Arc::from(pipeline.to_string_lossy().as_ref());
    let (files, name) = DirectoryFiles::of(pipeline);
    let bytes = files.read(&name).with_context(|| format!("cannot read `{shown}`"))?;
    let document = oms_engine::document::parse(&shown, &bytes)
        .map_err(|(_, diagnostic)| anyhow::anyhow!("`{shown}`: {}", diagnostic.message))?;
    let name = document.root().get("name").and_then(|entry| entry.node.as_text());
    name.map(str::to_owned).with_context(|| format!("`{shown}` has no name"))
}

/// Returns the default state directory of a pipeline with this name: `.oms/<name>` next to the
/// file.
pub(crate) fn directory(pipeline: &Path, name: &str) -> PathBuf {
    let folder = pipeline.parent().unwrap_or(Path::new(""));
    folder.join(".oms").join(name)
}

/// A state that is opened for reading.
pub(crate) struct StateReader {
    pub(crate) reader: Reader,
    pub(crate) bundles: Bundles,
}

impl ResolvedState {
    /// Removes duplicate arguments, so that no run is processed twice.
    pub(crate) fn without_duplicates(mut self) -> Self {
        let mut known = BTreeSet::new();
        self.arguments.retain(|argument| known.insert(argument.clone()));
        self
    }

    /// Returns the first of the other arguments.
    ///
    /// # Errors
    /// Returns an error if there are no other arguments. The message is `missing`.
    pub(crate) fn first_argument(&self, missing: &str) -> anyhow::Result<&str> {
        self.arguments.first().map(String::as_str).ok_or_else(|| Usage(missing.to_owned()).into())
    }

    /// Opens the state for reading.
    ///
    /// # Errors
    /// Returns an error if there is no state, or it cannot be read.
    pub(crate) fn read(&self, kinds: &[StepKind]) -> anyhow::Result<StateReader> {
        let reader = Reader::open(&self.directory)?;
        Ok(StateReader { reader, bundles: Bundles::new(check::checker(kinds)?) })
    }

    /// Returns the arguments that name the state in suggested commands.
    pub(crate) fn shown(&self) -> String {
        argument(self.pipeline.as_deref(), self.named.then_some(self.directory.as_path()))
    }
}

/// Returns the arguments that name a state in suggested commands: the pipeline, the state
/// directory, or both.
pub(crate) fn argument(pipeline: Option<&Path>, directory: Option<&Path>) -> String {
    let pipeline = pipeline.map(|pipeline| quote(&pipeline.display().to_string()));
    let directory = directory
        .map(|directory| format!("--state-dir {}", quote(&directory.display().to_string())));
    pipeline.into_iter().chain(directory).collect::<Vec<_>>().join(" ")
}

impl StateReader {
    /// Returns the latest plan.
    ///
    /// # Errors
    /// Returns an error if it cannot be restored from its bundle.
    pub(crate) fn plan(&self) -> anyhow::Result<Arc<Plan>> {
        Ok(self.bundles.latest(&self.reader)?)
    }
}

/// Returns the plan of the given pipeline, for commands that resume runs.
///
/// # Errors
/// Returns an error if no pipeline is given, or it cannot be read.
pub(crate) fn current_plan(
    checker: &Checker,
    found: &ResolvedState,
) -> anyhow::Result<Option<(PathBuf, Arc<Plan>)>> {
    let Some(pipeline) = &found.pipeline else {
        return Err(Usage(PIPELINE_MISSING.to_owned()).into());
    };
    Ok(check::plan(checker, pipeline)?.map(|plan| (pipeline.clone(), plan)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(arguments: &[&str], state_dir: Option<&str>) -> StateArgs {
        let arguments = arguments.iter().map(ToString::to_string).collect();
        StateArgs { state_dir: state_dir.map(PathBuf::from), arguments }
    }

    #[test]
    fn the_first_argument_may_be_the_pipeline() {
        let state = args(&["p.yaml", "A1", "A1", "q.yaml"], Some("st")).find().unwrap();
        assert_eq!(state.pipeline.as_deref(), Some(Path::new("p.yaml")));
        assert_eq!(state.without_duplicates().arguments, ["A1", "q.yaml"]);
        let state = args(&["A1"], Some("st")).find().unwrap();
        assert_eq!((state.pipeline.as_deref(), state.first_argument("?").unwrap()), (None, "A1"));
        assert!(args(&["A1"], None).find().is_err());
    }

    #[test]
    fn a_missing_argument_is_a_usage_error() {
        let state = args(&[], Some("st")).find().unwrap();
        let error = state.first_argument("specify the key").unwrap_err();
        assert!(error.is::<Usage>());
        assert_eq!(error.to_string(), "specify the key");
    }

    #[test]
    fn arguments_are_quoted_for_a_shell() {
        let (pipeline, directory) = (Path::new("p.yaml"), Path::new("it's here"));
        assert_eq!(argument(Some(pipeline), None), "p.yaml");
        assert_eq!(argument(None, Some(directory)), r"--state-dir 'it'\''s here'");
        assert_eq!(argument(Some(pipeline), Some(Path::new("st"))), "p.yaml --state-dir st");
    }
}

//! Checks pipelines for the commands.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use oms_engine::plan::{Checked, Checker, Plan, Target};
use oms_engine::step::{Registry, StepKind};

use crate::directory::DirectoryFiles;
use crate::output;
use crate::render;

/// Creates the checker for these kinds.
///
/// # Errors
/// Returns an error if two kinds have the same name, or the settings of a kind have an invalid
/// schema.
pub(crate) fn checker(kinds: &[StepKind]) -> anyhow::Result<Arc<Checker>> {
    checker_for(kinds, Target::Local)
}

/// Creates the checker for these kinds and a target.
///
/// # Errors
/// Returns an error if two kinds have the same name, or the settings of a kind have an invalid
/// schema.
pub(crate) fn checker_for(kinds: &[StepKind], target: Target) -> anyhow::Result<Arc<Checker>> {
    let registry = Registry::new(kinds.iter().copied())?;
    let environment = Arc::new(environment_variable);
    Ok(Arc::new(Checker::new(registry)?.for_target(target).in_environment(environment)))
}

/// Returns the value of an environment variable for a setting. Characters that are not Unicode are
/// replaced.
#[expect(clippy::disallowed_methods, reason = "settings name the variables")]
fn environment_variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
}

/// Checks one file.
pub(crate) fn check(checker: &Checker, path: &Path) -> Checked {
    let (files, name) = DirectoryFiles::of(path);
    checker.check(&name, &files)
}

/// Checks one file, and prints the findings to standard error.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(crate) fn check_and_print(checker: &Checker, path: &Path) -> anyhow::Result<Checked> {
    std::fs::metadata(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let checked = check(checker, path);
    let counts = render::counts(checked.report.errors(), checked.report.warnings());
    if !checked.report.is_ok() {
        let report = render::human(&checked.report, output::color_on_stderr());
        output::message(report.trim_end());
        output::message(&format!("{}: {counts}", path.display()));
    } else if checked.report.warnings() > 0 {
        output::message(&format!(
            "{path}: {counts}; `oms validate {path}` shows them",
            path = path.display()
        ));
    }
    Ok(checked)
}

/// Prints a note for each setting without a value in this environment.
pub(crate) fn print_unset_settings(plan: &Plan, path: &Path) {
    for unset in plan.unset_settings() {
        output::message(&format!("note: {}: {unset}", path.display()));
    }
}

/// Returns the plan of a pipeline, or `None` if it has errors. Prints the findings to standard
/// error.
///
/// # Errors
/// Returns an error if the file cannot be read.
pub(crate) fn plan(checker: &Checker, path: &Path) -> anyhow::Result<Option<Arc<Plan>>> {
    Ok(check_and_print(checker, path)?.plan.map(Arc::new))
}

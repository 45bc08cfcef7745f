//! A pipeline file.
//!
//! Promises: every finding points into the file. A file with a plan has no error, and the plan is
//! the same when it is made again.

use std::sync::{Arc, LazyLock};

use oms_engine::diagnostic::Severity;
use oms_engine::document::MemoryFiles;
use oms_engine::plan::Checker;
use oms_engine::step::Registry;

const FILE: &str = "pipeline.yaml";

static CHECKER: LazyLock<Checker> = LazyLock::new(|| {
    let registry =
        Registry::new(oms_steps::ALL.iter().copied()).expect("the kinds have names of their own");
    Checker::new(registry).expect("the shipped kinds have valid schemas")
});

pub(crate) fn run(data: &[u8]) {
    let files = MemoryFiles::new([(FILE.to_owned(), Arc::from(data))]);
    let checked = CHECKER.check(FILE, &files);
    let errors =
        checked.report.diagnostics().iter().filter(|found| found.severity == Severity::Error);
    let has_errors = errors.count() > 0;
    assert_ne!(checked.plan.is_some(), has_errors, "a plan exists if and only if no error does");
    for diagnostic in checked.report.diagnostics() {
        for label in &diagnostic.labels {
            let source = checked.report.source(&label.path);
            let length = source.map_or(0, |source| source.text().len());
            assert!(label.span.end <= length, "{diagnostic:?} is outside of the file");
        }
    }
    if let Some(plan) = checked.plan {
        let again = CHECKER.check(FILE, &files).plan.map(|plan| plan.digest());
        assert_eq!(again, Some(plan.digest()), "the plan differs when it is made again");
    }
}

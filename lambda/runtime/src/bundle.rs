//! The pipeline and its files, embedded in a handler.

use std::sync::Arc;

use oms_engine::document::MemoryFiles;
use oms_engine::plan::{Checker, Choreography, InvalidKindSchema, Plan, Semantics, choreography};
use oms_engine::step::{DuplicateKind, Registry, StepKind};

/// A pipeline and the files that it names.
#[derive(Clone, Copy)]
pub struct Bundle {
    /// Path of the pipeline file.
    pub pipeline: &'static str,
    /// All files by their paths relative to the pipeline, including the pipeline file itself.
    pub files: &'static [(&'static str, &'static [u8])],
    /// The paths of the files with exchange rates that are updated after the handler is built.
    pub rates: &'static [&'static str],
    /// Tables that steps of the whole pipeline both read and write, in any handler.
    pub contended: &'static [&'static str],
    /// The kinds of its steps. Other kinds are not linked.
    pub kinds: &'static [StepKind],
}

/// A reason why a bundle cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The step kinds conflict.
    #[error("cannot use the step kinds: {0}")]
    Kinds(DuplicateKind),
    /// The settings of a step kind are invalid.
    #[error("cannot use the step kinds: {0}")]
    Schema(InvalidKindSchema),
    /// The pipeline is invalid or not supported on AWS Lambda.
    #[error("cannot run the embedded pipeline: {0}")]
    Pipeline(String),
    /// The pipeline has no such handler.
    #[error("the embedded pipeline has no handler `{0}`")]
    Handler(String),
}

impl Bundle {
    /// Plans the pipeline and its choreography.
    ///
    /// # Errors
    /// Returns an error if the pipeline is invalid. Generated bundles are always valid.
    pub fn plan(&self) -> Result<(Arc<Plan>, Choreography), BundleError> {
        self.plan_with(None)
    }

    /// Plans the pipeline with other exchange rates than the embedded ones.
    ///
    /// # Errors
    /// Returns an error if the rates are invalid.
    pub(crate) fn plan_with(
        &self,
        rates: Option<&Arc<[u8]>>,
    ) -> Result<(Arc<Plan>, Choreography), BundleError> {
        let registry = Registry::new(self.kinds.iter().copied()).map_err(BundleError::Kinds)?;
        let checker = Checker::new(registry).map_err(BundleError::Schema)?;
        let files = self.files.iter().map(|(path, bytes)| {
            let newer = rates.filter(|_| self.rates.contains(path));
            ((*path).to_owned(), newer.map_or_else(|| Arc::from(*bytes), Arc::clone))
        });
        let checked =
            checker.check_bundle(self.pipeline, &MemoryFiles::new(files), Semantics::CURRENT);
        let mut plan = checked.plan.ok_or_else(|| {
            let first = checked.report.diagnostics().first();
            BundleError::Pipeline(first.map_or_else(String::new, |found| found.message.clone()))
        })?;
        plan.contend(self.contended.iter().map(|table| Arc::from(*table)));
        let choreography = choreography(&plan).map_err(|findings| {
            let first = findings.into_iter().next();
            BundleError::Pipeline(first.map_or_else(String::new, |found| found.message))
        })?;
        Ok((Arc::new(plan), choreography))
    }
}

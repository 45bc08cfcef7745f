//! The pipeline and its files, as they are embedded in a handler.

use std::sync::Arc;

use oms_engine::document::MemoryFiles;
use oms_engine::plan::{Checker, Choreography, Plan, Semantics, choreography};
use oms_engine::step::{Registry, StepKind};

/// A pipeline and the files that it names.
#[derive(Clone, Copy)]
pub struct Bundle {
    /// The pipeline's file.
    pub pipeline: &'static str,
    /// Every file by its path relative to the pipeline, the pipeline's own among them.
    pub files: &'static [(&'static str, &'static [u8])],
    /// Which of the files have exchange rates that are brought up to date after the handler was built.
    pub rates: &'static [&'static str],
    /// Tables that steps of the whole pipeline read and write, in this handler or in another one.
    pub contended: &'static [&'static str],
    /// The kinds of its steps. What others need is not linked.
    pub kinds: &'static [StepKind],
}

/// Why a bundle cannot be run.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The kinds cannot be used together.
    #[error("the step kinds cannot be used: {0}")]
    Kinds(String),
    /// The pipeline is not right, or not for AWS Lambda.
    #[error("the embedded pipeline cannot be run: {0}")]
    Pipeline(String),
    /// The pipeline has no such handler.
    #[error("the embedded pipeline has no handler `{0}`")]
    Handler(String),
}

impl Bundle {
    /// Plans the pipeline, and how it runs without a conductor.
    ///
    /// # Errors
    /// What is wrong with it; a bundle that was generated is right.
    pub fn plan(&self) -> Result<(Arc<Plan>, Choreography), BundleError> {
        self.plan_with(None)
    }

    /// Plans the pipeline with other exchange rates than the embedded ones.
    ///
    /// # Errors
    /// When they are none.
    pub(crate) fn plan_with(
        &self,
        rates: Option<&Arc<[u8]>>,
    ) -> Result<(Arc<Plan>, Choreography), BundleError> {
        let registry = Registry::new(self.kinds.iter().copied())
            .map_err(|error| BundleError::Kinds(error.to_string()))?;
        let checker = Checker::new(registry).map_err(BundleError::Kinds)?;
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

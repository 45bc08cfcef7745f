//! The source of a pipeline: the server reads it again, inspects it and draws it.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::document::MemoryFiles;
use oms_engine::effects::Services;
use oms_engine::plan::Plan;

/// Why a pipeline file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPipeline {
    /// The pipeline file has errors. Contains its path.
    #[error("`{0}` is not valid; `oms validate {0}` shows the errors")]
    Findings(String),
    /// The services cannot be used, for example because a secret does not exist. Contains the
    /// reason.
    #[error("{0}")]
    Services(String),
}

/// The source of a pipeline, which is read again so that changes apply without a restart.
pub trait Source: Send + Sync {
    /// Reads the pipeline again.
    ///
    /// # Errors
    /// Returns an error if the pipeline file is invalid, or if its services cannot be used.
    fn reload(&self) -> Result<Reloaded, InvalidPipeline>;

    /// Returns the name of the file as it is shown to users.
    fn name(&self) -> String;

    /// Draws a plan as an SVG image whose steps are marked with `data-step`.
    fn draw(&self, plan: &Plan) -> String;

    /// Returns the e-mail templates, each with the locales in which it can be previewed.
    fn mails(&self, plan: &Arc<Plan>) -> Vec<(String, Vec<String>)>;

    /// Renders an e-mail for a sample as HTML. Returns `None` if the template or the locale does
    /// not exist.
    fn mail(&self, plan: &Arc<Plan>, template: &str, locale: &str) -> Option<String>;

    /// Reports the effect of a changed file to the operator of the server.
    fn report(&self, text: &str);

    /// Returns the current file and its findings, even if it is invalid.
    fn inspect(&self) -> Inspection;
}

/// A pipeline file, with the findings in it and in the files that it names.
pub struct Inspection {
    /// The text; empty if it cannot be read.
    pub text: String,
    /// Findings in the pipeline file or without a file.
    pub findings: Vec<Finding>,
    /// Other files with findings.
    pub others: Vec<InspectedFile>,
}

/// A file that a pipeline names, such as its schema or a template.
pub struct InspectedFile {
    /// Its path as shown to users.
    pub path: String,
    /// Its findings.
    pub findings: Vec<Finding>,
    /// The lines around the findings, by line number from 1. Empty if the file may contain personal
    /// data.
    pub lines: BTreeMap<usize, String>,
}

/// A finding in a file.
pub struct Finding {
    /// The line, from 1.
    pub line: usize,
    /// `error` or `warning`.
    pub severity: &'static str,
    /// The code.
    pub code: String,
    /// The message.
    pub message: String,
    /// How to fix it.
    pub help: Option<String>,
}

/// A pipeline that was read again.
pub struct Reloaded {
    /// The plan.
    pub plan: Arc<Plan>,
    /// The name of the file in the plan's bundle.
    pub file: String,
    /// The contents of the seed files, by path.
    pub seeds: MemoryFiles,
    /// The HTTP services that steps call.
    pub services: Arc<dyn Services>,
}

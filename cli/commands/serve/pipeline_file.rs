//! The pipeline file of a server: reads it again after changes, draws its graph, renders its
//! e-mails, and collects its findings for the console.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use oms_engine::diagnostic::{Diagnostic, Severity};
use oms_engine::document::{Files as _, MemoryFiles};
use oms_engine::plan::{Checker, Plan};
use oms_serve::{Finding, InspectedFile, Inspection, InvalidPipeline, Reloaded, Source};

use crate::directory::DirectoryFiles;
use crate::emails::preview::rehearse;
use crate::graph;
use crate::output;
use crate::targets::services::ReloadedServices;

/// Number of context lines before and after a finding in a file other than the pipeline file.
const AROUND: usize = 2;
/// Maximum number of characters of a context line.
const LINE_MAX: usize = 400;

/// A pipeline file.
pub(crate) struct PipelineFile {
    pub(crate) path: PathBuf,
    pub(crate) checker: Arc<Checker>,
    pub(crate) services: ReloadedServices,
}

impl Source for PipelineFile {
    fn reload(&self) -> Result<Reloaded, InvalidPipeline> {
        let (files, file) = DirectoryFiles::of(&self.path);
        let checked = self.checker.check(&file, &files);
        let Some(plan) = checked.plan else {
            return Err(InvalidPipeline::Findings(self.path.display().to_string()));
        };
        let seeds = plan.seeds().iter().filter_map(|seed| {
            let bytes = files.read(&seed.path).ok()?;
            Some((seed.path.clone(), bytes))
        });
        let seeds = MemoryFiles::new(seeds.collect::<Vec<_>>());
        let services = self.services.of_plan(&plan);
        let services = services.map_err(|error| InvalidPipeline::Services(format!("{error:#}")))?;
        Ok(Reloaded { plan: Arc::new(plan), file, seeds, services })
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn draw(&self, plan: &Plan) -> String {
        graph::svg(&graph::of_plan(plan))
    }

    fn mails(&self, plan: &Arc<Plan>) -> Vec<(String, Vec<String>)> {
        let Ok(rehearsed) = rehearse(plan, &self.path, None) else { return Vec::new() };
        rehearsed.by_template()
    }

    fn mail(&self, plan: &Arc<Plan>, template: &str, locale: &str) -> Option<String> {
        let rehearsed = rehearse(plan, &self.path, None).ok()?;
        let mails = rehearsed.mails(Some(locale), Some(template)).ok()?;
        mails.into_iter().next().map(|preview| preview.mail.html)
    }

    fn report(&self, text: &str) {
        output::message(text);
    }

    fn inspect(&self) -> Inspection {
        let (files, file) = DirectoryFiles::of(&self.path);
        let report = self.checker.check(&file, &files).report;
        let bytes = files.read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let shown = files.shown(&file);
        let (mut findings, mut others) = (Vec::new(), BTreeMap::<Arc<str>, InspectedFile>::new());
        for diagnostic in report.diagnostics() {
            let label = diagnostic.labels.iter().find(|label| label.primary);
            let source = label.and_then(|label| report.source(&label.path));
            let line =
                label.zip(source).map(|(label, source)| source.line_column(label.span.start).0);
            let finding = finding(diagnostic, line.unwrap_or(1));
            // Findings without a file are shown at the top of the pipeline file.
            let Some(label) = label.filter(|label| label.path != shown) else {
                findings.push(finding);
                continue;
            };
            let other = others.entry(Arc::clone(&label.path)).or_insert_with(|| InspectedFile {
                path: label.path.to_string(),
                findings: Vec::new(),
                lines: BTreeMap::new(),
            });
            if let Some(source) = source.filter(|source| !source.is_private()) {
                let first = finding.line.saturating_sub(AROUND).max(1);
                let lines = source.text().lines().enumerate().skip(first - 1).take(2 * AROUND + 1);
                other.lines.extend(lines.map(|(at, text)| (at + 1, cut(text))));
            }
            other.findings.push(finding);
        }
        Inspection { text, findings, others: others.into_values().collect() }
    }
}

/// Converts a finding to the form that the console shows.
fn finding(diagnostic: &Diagnostic, line: usize) -> Finding {
    Finding {
        line,
        severity: match diagnostic.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        },
        code: diagnostic.code.to_string(),
        message: diagnostic.message.clone(),
        help: diagnostic.help.clone(),
    }
}

/// Truncates a line. A generated file may consist of a single long line.
fn cut(line: &str) -> String {
    match line.char_indices().nth(LINE_MAX) {
        Some((at, _)) => format!("{} …", line.get(..at).unwrap_or_default()),
        None => line.to_owned(),
    }
}

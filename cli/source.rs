//! A pipeline file as a server reads it: to run it, to read it again, to draw it and to show it.

use std::path::PathBuf;
use std::sync::Arc;

use oms_engine::diagnostic::Severity;
use oms_engine::document::{Files as _, MemoryFiles};
use oms_engine::plan::{Checker, Plan};
use oms_serve::{Finding, Looked, Renewed, Source};

use crate::commands::graph::picture;
use crate::directory::DirectoryFiles;
use crate::graph::svg;
use crate::output;
use crate::preview::rehearse;

/// A pipeline file.
pub(crate) struct PipelineFile {
    pub(crate) path: PathBuf,
    pub(crate) checker: Arc<Checker>,
}

impl Source for PipelineFile {
    fn read(&self) -> Result<Renewed, String> {
        let (files, file) = DirectoryFiles::of(&self.path);
        let checked = self.checker.check(&file, &files);
        let Some(plan) = checked.plan else {
            let path = self.path.display();
            return Err(format!("`{path}` is not valid now; `oms validate {path}` says why"));
        };
        let seeds = plan.seeds().iter().filter_map(|seed| {
            let bytes = files.read(&seed.path).ok()?;
            Some((seed.path.clone(), bytes))
        });
        let seeds = MemoryFiles::new(seeds.collect::<Vec<_>>());
        Ok(Renewed { plan: Arc::new(plan), file, seeds })
    }

    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn draw(&self, plan: &Plan) -> String {
        svg(&picture(plan))
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

    fn say(&self, text: &str) {
        output::say(text);
    }

    fn look(&self) -> Looked {
        let (files, file) = DirectoryFiles::of(&self.path);
        let report = self.checker.check(&file, &files).report;
        let bytes = files.read(&file).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let line = |at: usize| text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
        let shown = files.shown(&file);
        let findings = report
            .diagnostics()
            .iter()
            .map(|diagnostic| {
                // What is wrong in another file is shown at the top.
                let label = diagnostic.labels.iter().find(|label| label.primary);
                let here = label.filter(|label| label.path == shown);
                Finding {
                    line: here.map_or(1, |label| line(label.span.start)),
                    severity: match diagnostic.severity {
                        Severity::Error => "error",
                        Severity::Warning => "warning",
                    },
                    code: diagnostic.code.to_string(),
                    message: diagnostic.message.clone(),
                    help: diagnostic.help.clone(),
                }
            })
            .collect();
        Looked { text, findings }
    }
}

//! The content of the page: the e-mails of the last valid pipeline, and the errors in the current
//! one.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use oms_engine::diagnostic::{Report, Severity};
use oms_engine::document::Files as _;
use oms_engine::plan::{Checker, Plan};
use serde_json::{Value as Json, json};

use super::server::Subject;
use super::watch::folder_of;
use crate::directory::DirectoryFiles;
use crate::emails::lint::lint;
use crate::emails::preview::{Preview, Rehearsed, rehearse};
use crate::{check, render};

/// The current content of the page.
pub(super) struct Current {
    subject: Subject,
    checker: Arc<Checker>,
    version: u64,
    /// The errors in the current files.
    error: Option<String>,
    valid: Option<ValidPipeline>,
}

/// A valid pipeline whose orders ran in memory.
struct ValidPipeline {
    plan: Arc<Plan>,
    rehearsed: Rehearsed,
    locales: Vec<String>,
    /// The warnings with their places.
    findings: Vec<Json>,
    mails: Vec<Json>,
}

impl Current {
    pub(super) fn new(subject: Subject, checker: Arc<Checker>) -> Self {
        let mut current = Self { subject, checker, version: 0, error: None, valid: None };
        current.reload();
        current
    }

    pub(super) const fn version(&self) -> u64 {
        self.version
    }

    /// Reads the files again.
    pub(super) fn reload(&mut self) {
        self.version += 1;
        match self.read() {
            Ok(valid) => (self.valid, self.error) = (Some(valid), None),
            Err(error) => self.error = Some(error),
        }
    }

    fn read(&self) -> Result<ValidPipeline, String> {
        let Subject { pipeline, orders, .. } = &self.subject;
        let checked = check::check(&self.checker, pipeline);
        let Some(plan) = checked.plan.map(Arc::new) else {
            return Err(render::human(&checked.report, false));
        };
        let to_text = |error: anyhow::Error| format!("error: {error:#}");
        let rehearsed = rehearse(&plan, pipeline, orders.as_deref()).map_err(to_text)?;
        let mails = rehearsed.mails(None, self.subject.template.as_deref()).map_err(to_text)?;
        let mails = mails.iter().map(|Preview { key, step, template, .. }| {
            json!({ "id": format!("{key}/{step}"), "order": key, "step": step, "template": template })
        });
        Ok(ValidPipeline {
            mails: mails.collect(),
            locales: rehearsed.locales(),
            findings: warnings(&checked.report),
            plan,
            rehearsed,
        })
    }

    /// Returns the folders with the files of the page.
    pub(super) fn folders(&self) -> BTreeSet<PathBuf> {
        let folder = folder_of(&self.subject.pipeline);
        let mail = self.valid.as_ref().and_then(|valid| valid.plan.mail());
        let templates = mail.map(|mail| folder.join(&*mail.templates));
        let orders = self.subject.orders.as_deref().map(folder_of);
        std::iter::once(folder).chain(templates).chain(orders).collect()
    }

    /// Returns the state of the page: the e-mails, the locales and the errors.
    pub(super) fn state(&self) -> anyhow::Result<Json> {
        let valid = self.valid.as_ref();
        let name = valid.map_or_else(
            || self.subject.pipeline.display().to_string(),
            |valid| valid.plan.name().to_string(),
        );
        Ok(json!({
            "version": self.version,
            "pipeline": name,
            "error": self.error,
            "mails": valid.map_or(&[][..], |valid| &valid.mails),
            "locales": valid.map_or(&[][..], |valid| &valid.locales),
            "unsent": valid.map_or(&[][..], |valid| &valid.rehearsed.unsent),
        }))
    }

    /// Returns an e-mail by order and step, if it exists.
    pub(super) fn mail(&self, id: &str, locale: Option<&str>) -> Option<anyhow::Result<Json>> {
        let valid = self.valid.as_ref()?;
        let (key, step) = id.rsplit_once('/')?;
        valid
            .rehearsed
            .mail(key, step, locale)
            .and_then(|preview| {
                preview.map(|preview| valid.shown(&preview, &self.subject.pipeline)).transpose()
            })
            .transpose()
    }
}

impl ValidPipeline {
    fn shown(&self, preview: &Preview, pipeline: &Path) -> anyhow::Result<Json> {
        let Preview { mail, template, .. } = preview;
        let message = mail.to_rfc5322()?;
        let text = String::from_utf8_lossy(&message);
        let headers = text.split("\r\n\r\n").next().unwrap_or_default().replace("\r\n", "\n");
        let lint_findings = lint(preview).into_iter();
        let lint_findings = lint_findings
            .map(|message| json!({ "severity": "warning", "message": message, "place": null }));
        Ok(json!({
            "subject": mail.subject,
            "html": mail.html,
            "text": mail.text,
            "headers": headers,
            "source": self.source_files(template, pipeline),
            "findings": lint_findings.chain(self.findings.iter().cloned()).collect::<Vec<_>>(),
            "bytes": { "html": mail.html.len(), "text": mail.text.len(), "eml": message.len() },
        }))
    }

    /// Returns the files of a template and the shared partials.
    fn source_files(&self, template: &str, pipeline: &Path) -> Vec<Json> {
        let Some(mail) = self.plan.mail() else { return Vec::new() };
        let of = |name: &str| format!("{}/{name}/", mail.templates);
        let folders = [of(template), of(oms_engine::template::PARTIALS_FOLDER)];
        let files = self.plan.files().iter();
        let of_it = files.filter(|(path, _)| folders.iter().any(|folder| path.starts_with(folder)));
        let (shown, _) = DirectoryFiles::of(pipeline);
        of_it
            .map(|(path, bytes)| {
                json!({ "path": shown.shown(path), "text": String::from_utf8_lossy(bytes) })
            })
            .collect()
    }
}

/// Returns the warnings of a report with their places.
fn warnings(report: &Report) -> Vec<Json> {
    let found = report.diagnostics().iter();
    let warnings = found.filter(|finding| finding.severity == Severity::Warning);
    warnings
        .map(|finding| {
            let place = finding.primary().and_then(|label| {
                let source = report.source(&label.path)?;
                let (line, column) = source.line_column(label.span.start);
                Some(format!("{}:{line}:{column}", label.path))
            });
            let message = format!("{} ({})", finding.message, finding.code);
            json!({ "severity": "warning", "message": message, "place": place })
        })
        .collect()
}

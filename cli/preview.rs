//! The mails that a pipeline would send for some orders, with nothing sent.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Context as _;
use oms_engine::effects::Clock as _;
use oms_engine::mail::Mail;
use oms_engine::plan::Plan;
use oms_engine::run::{Rehearsal, Run, Sent};
use oms_engine::step::Port;
use oms_engine::template::Template;
use oms_local::{Order, SystemClock};

use crate::directory::DirectoryFiles;
use crate::input::{Reader, Source};

/// A mail, and what it is for.
pub(crate) struct Preview {
    /// The order's key.
    pub(crate) key: Arc<str>,
    /// The step that would send it.
    pub(crate) step: Arc<str>,
    /// The template's name.
    pub(crate) template: Arc<str>,
    pub(crate) mail: Mail,
}

/// Orders that have run in memory.
pub(crate) struct Rehearsed {
    rehearsal: Rehearsal,
    runs: Vec<Run>,
    runtime: tokio::runtime::Runtime,
    /// What did not come to a mail, and why.
    pub(crate) unsent: Vec<String>,
}

/// Runs orders in memory: those of a file, or the pipeline's samples.
///
/// # Errors
/// When a file cannot be read.
pub(crate) fn rehearse(
    plan: &Arc<Plan>,
    pipeline: &Path,
    orders: Option<&Path>,
) -> anyhow::Result<Rehearsed> {
    let (files, _) = DirectoryFiles::of(pipeline);
    let rehearsal = Rehearsal::new(plan, &files, SystemClock.now())?;
    let folder = pipeline.parent().unwrap_or(Path::new(""));
    let paths: Vec<PathBuf> = match orders {
        Some(path) => vec![path.to_owned()],
        None => plan.samples().iter().map(|sample| folder.join(sample)).collect(),
    };
    let reader =
        Reader { bytes_max: plan.order().max_bytes(), bytes_read: Arc::new(AtomicU64::new(0)) };
    let mut found: Vec<Order> = Vec::new();
    for path in paths {
        let shown = path.display().to_string();
        let mut each = |order| {
            found.push(order);
            true
        };
        reader
            .read(&Source::File(path), &mut each)
            .with_context(|| format!("`{shown}` cannot be read"))?;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let (mut runs, mut unsent) = (Vec::new(), Vec::new());
    for order in found {
        match runtime.block_on(rehearsal.run(&order.body, &order.name)) {
            Ok(run) => {
                let failed = run.scheduler.failures().map(|(step, failure)| {
                    format!("{}: no mail, since `{step}` fails: {}", run.info.key, failure.message)
                });
                unsent.extend(failed);
                runs.push(run);
            }
            Err(rejection) => {
                let message = rejection.problems.first().map_or("", |first| first.message.as_str());
                unsent.push(format!("{}:{}: {message}", order.origin.path, order.origin.line));
            }
        }
    }
    Ok(Rehearsed { rehearsal, runs, runtime, unsent })
}

impl Rehearsed {
    /// Returns the mails, in another locale than theirs if one is given, of one template if one is named.
    ///
    /// # Errors
    /// When a mail is too large.
    pub(crate) fn mails(
        &self,
        locale: Option<&str>,
        template: Option<&str>,
    ) -> anyhow::Result<Vec<Preview>> {
        let mut previews = Vec::new();
        for run in &self.runs {
            let of = self.of(run, locale)?.into_iter();
            previews.extend(
                of.filter(|preview| template.is_none_or(|template| *preview.template == *template)),
            );
        }
        Ok(previews)
    }

    /// Returns the mail of one order and step, in another locale than its own if one is given.
    ///
    /// # Errors
    /// When a mail is too large.
    pub(crate) fn mail(
        &self,
        key: &str,
        step: &str,
        locale: Option<&str>,
    ) -> anyhow::Result<Option<Preview>> {
        let run = self.runs.iter().find(|run| *run.info.key == *key);
        let mails = run.map(|run| self.of(run, locale)).transpose()?;
        Ok(mails.into_iter().flatten().find(|preview| *preview.step == *step))
    }

    fn of(&self, run: &Run, locale: Option<&str>) -> anyhow::Result<Vec<Preview>> {
        let sent = self.runtime.block_on(self.rehearsal.mails(run, locale))?;
        let key = &run.info.key;
        let preview =
            |Sent { step, template, mail }| Preview { key: Arc::clone(key), step, template, mail };
        Ok(sent.into_iter().map(preview).collect())
    }
}

/// Returns the locales that the pipeline's mails have, the mail's own first.
pub(crate) fn locales(plan: &Plan, pipeline: &Path) -> Vec<String> {
    let Some(settings) = plan.mail() else { return Vec::new() };
    let (files, _) = DirectoryFiles::of(pipeline);
    let mut locales = vec![settings.locale.to_string()];
    let effects = plan.steps().iter().flat_map(|step| &step.effects);
    for effect in effects.filter(|effect| effect.port == Port::Mail) {
        let template =
            Template::load(&files, &settings.templates, &effect.resource, &settings.locale);
        for locale in template.iter().flat_map(Template::locales) {
            if !locales.iter().any(|known| known == locale) {
                locales.push(locale.to_owned());
            }
        }
    }
    locales
}

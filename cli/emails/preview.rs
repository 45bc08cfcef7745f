//! The e-mails that a pipeline would send for some orders. Nothing is sent.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Context as _;
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_engine::mail::Mail;
use oms_engine::plan::Plan;
use oms_engine::run::{Rehearsal, Run, SentMail};
use oms_engine::step::Port;
use oms_engine::template::Template;
use oms_runtime::Order;

use crate::directory::DirectoryFiles;
use crate::orders::input::{Origin, Reader, Source};
use crate::runtime;

/// The key of an e-mail that is rendered from the sample of its template.
const SAMPLE_KEY: &str = "sample";

/// An e-mail and its origin.
pub(crate) struct Preview {
    /// The order's key.
    pub(crate) key: Arc<str>,
    /// The step that would send it.
    pub(crate) step: Arc<str>,
    /// The template's name.
    pub(crate) template: Arc<str>,
    pub(crate) mail: Mail,
}

/// Orders that ran in memory.
pub(crate) struct Rehearsed {
    rehearsal: Rehearsal,
    runs: Vec<Run>,
    runtime: tokio::runtime::Runtime,
    /// The templates of the pipeline's e-mails, by name.
    templates: BTreeMap<Arc<str>, Template>,
    /// Whether the samples of the templates are rendered as well.
    with_samples: bool,
    /// The orders without an e-mail, with the reason.
    pub(crate) unsent: Vec<String>,
}

/// Runs orders in memory: those of a file, or the pipeline's samples.
///
/// # Errors
/// Returns an error if a file cannot be read.
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
    let reader = Reader { plan: Arc::clone(plan), bytes_read: Arc::new(AtomicU64::new(0)) };
    let mut found: Vec<(Order, Origin)> = Vec::new();
    for path in paths {
        let shown = path.display().to_string();
        let mut each = |order, origin| {
            found.push((order, origin));
            true
        };
        reader
            .read(&Source::File(path), &mut each)
            .with_context(|| format!("cannot read `{shown}`"))?;
    }
    let runtime = runtime::current_thread()?;
    let (mut runs, mut unsent) = (Vec::new(), Vec::new());
    for (order, origin) in found {
        match runtime.block_on(rehearsal.run(&order.body, &order.name)) {
            Ok(run) => {
                let failed = run.scheduler.failures().map(|(step, failure)| {
                    format!(
                        "{}: no e-mail, because `{step}` failed: {}",
                        run.info.key, failure.message
                    )
                });
                unsent.extend(failed);
                runs.push(run);
            }
            Err(rejection) => {
                let fault = origin.row.as_ref().and_then(|row| row.fault.as_ref());
                let message = rejection.problems.first().map_or("", |first| first.message.as_str());
                let message = fault.map_or(message, |(_, message)| message.as_str());
                unsent.push(format!("{}:{}: {message}", origin.path, origin.line));
            }
        }
    }
    let templates = templates(plan, &files);
    Ok(Rehearsed { rehearsal, runs, runtime, templates, with_samples: orders.is_none(), unsent })
}

/// Loads the templates of a pipeline's e-mails. The checker has found no errors in them.
fn templates(plan: &Plan, files: &DirectoryFiles) -> BTreeMap<Arc<str>, Template> {
    let Some(settings) = plan.mail() else { return BTreeMap::new() };
    let effects = plan.steps().iter().flat_map(|step| &step.effects);
    let names = effects.filter(|effect| effect.port == Port::Mail).map(|effect| &effect.resource);
    let load = |name: &Arc<str>| {
        let template =
            Template::load(files, &settings.templates, name, &settings.locale, &settings.time_zone);
        template.ok().map(|template| (Arc::clone(name), template))
    };
    names.filter_map(load).collect()
}

impl Rehearsed {
    /// Returns the locales of the templates, with their default locales first.
    pub(crate) fn locales(&self) -> Vec<String> {
        let mut locales: Vec<String> = Vec::new();
        let own = self.templates.values().map(Template::default_locale);
        for locale in own.chain(self.templates.values().flat_map(Template::locales)) {
            if !locales.iter().any(|known| known == locale) {
                locales.push(locale.to_owned());
            }
        }
        locales
    }

    /// Returns the templates with their locales. The template's default locale is first.
    pub(crate) fn by_template(&self) -> Vec<(String, Vec<String>)> {
        let of = |(name, template): (&Arc<str>, &Template)| {
            let own = std::iter::once(template.default_locale());
            let locales = own.chain(template.locales()).map(str::to_owned);
            (name.to_string(), locales.collect())
        };
        self.templates.iter().map(of).collect()
    }

    /// Returns the e-mails of the orders. If no orders were given, also returns those of the
    /// templates' samples. `locale` replaces the locale of the e-mails, and `template` selects one
    /// template.
    ///
    /// # Errors
    /// Returns an error if an e-mail is too large.
    pub(crate) fn mails(
        &self,
        locale: Option<&str>,
        template: Option<&str>,
    ) -> anyhow::Result<Vec<Preview>> {
        let mut previews = Vec::new();
        for run in &self.runs {
            previews.extend(self.of(run, locale)?);
        }
        previews.extend(self.samples(locale)?);
        previews.retain(|preview| template.is_none_or(|template| *preview.template == *template));
        Ok(previews)
    }

    /// Returns the e-mail of one order and step. `locale` replaces its locale.
    ///
    /// # Errors
    /// Returns an error if an e-mail is too large.
    pub(crate) fn mail(
        &self,
        key: &str,
        step: &str,
        locale: Option<&str>,
    ) -> anyhow::Result<Option<Preview>> {
        let mails = match self.runs.iter().find(|run| *run.info.key == *key) {
            Some(run) => self.of(run, locale)?,
            None => self.samples(locale)?,
        };
        let matches = |preview: &Preview| *preview.key == *key && *preview.step == *step;
        Ok(mails.into_iter().find(matches))
    }

    fn samples(&self, locale: Option<&str>) -> anyhow::Result<Vec<Preview>> {
        let mut previews = Vec::new();
        for (name, template) in self.templates.iter().filter(|_| self.with_samples) {
            let sent = self.rehearsal.sample(template, name, locale);
            let key = Arc::from(SAMPLE_KEY);
            previews.extend(shown(&key, self.runtime.block_on(sent)?));
        }
        Ok(previews)
    }

    fn of(&self, run: &Run, locale: Option<&str>) -> anyhow::Result<Vec<Preview>> {
        let sent = self.runtime.block_on(self.rehearsal.mails(run, locale))?;
        Ok(shown(&run.info.key, sent))
    }
}

fn shown(key: &Arc<str>, sent: Vec<SentMail>) -> Vec<Preview> {
    let preview =
        |SentMail { step, template, mail }| Preview { key: Arc::clone(key), step, template, mail };
    sent.into_iter().map(preview).collect()
}

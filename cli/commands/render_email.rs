//! `oms render-email`: previews and checks of the e-mails that a pipeline would send.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use clap::Subcommand;
use oms_engine::plan::Plan;
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_sqlite::private;
use serde_json::json;

use crate::check;
use crate::commands::mail::Part;
use crate::emails::lint::judge;
use crate::emails::matrix;
use crate::emails::preview::{Preview, Rehearsed, rehearse};
use crate::exit::{self, Usage};
use crate::live;
use crate::output::{self, Format};
use crate::render;
use crate::target::state;

/// Preview or check the e-mails of a pipeline
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Render the e-mails for the pipeline's sample orders to files
    ///
    /// The orders run in memory with the pipeline's seeds. Nothing is sent. Example: oms render-email preview pipelines/storefront.yaml
    Preview {
        #[command(flatten)]
        what: What,
        /// Output folder, by default `.oms/<name>/preview` next to the pipeline file
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Write one part of the first e-mail to standard output instead
        #[arg(long, value_enum)]
        part: Option<Part>,
        /// Write a page with every e-mail in every language, light and dark, narrow and wide
        #[arg(long, conflicts_with = "part")]
        matrix: bool,
        /// Serve the e-mails on a local page that updates when a file is saved
        #[arg(
            long, value_name = "ADDRESS", num_args = 0..=1, default_missing_value = live::ADDRESS,
            conflicts_with_all = ["out", "part", "matrix", "format", "locale"]
        )]
        serve: Option<String>,
        /// Output format
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Check the templates, translations and sizes of the e-mails
    ///
    /// Example: oms render-email lint pipelines/storefront.yaml
    Lint {
        #[command(flatten)]
        what: What,
    },
}

/// The e-mails to render.
#[derive(clap::Args, Debug)]
struct What {
    /// Pipeline file
    pipeline: PathBuf,
    /// Only e-mails of this template
    #[arg(long)]
    template: Option<String>,
    /// File with orders to use instead of the samples: one JSON document, or one per line
    #[arg(long, value_name = "FILE")]
    order: Option<PathBuf>,
    /// Locale to use instead of the reader's, such as `de-CH`
    #[arg(long)]
    locale: Option<String>,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::Preview { what, serve: Some(address), .. } => {
            let What { pipeline, order: orders, template, .. } = what;
            live::serve(live::Subject { pipeline, orders, template }, &address, kinds)
        }
        Command::Preview { what, out, part, matrix, format, .. } => {
            let Some((plan, rehearsed)) = what.rehearse(kinds)? else { return Ok(exit::FINDINGS) };
            if let Some(part) = part {
                return one(&what, &rehearsed, part);
            }
            let out = out
                .unwrap_or_else(|| state::directory(&what.pipeline, plan.name()).join("preview"));
            if matrix {
                return page(&what, &plan, &rehearsed, &out);
            }
            files(&what, &rehearsed, &out, format)
        }
        Command::Lint { what } => lint(&what, kinds),
    }
}

impl What {
    /// Runs the orders in memory. Returns `None` if the pipeline has errors, which were printed.
    fn rehearse(&self, kinds: &[StepKind]) -> anyhow::Result<Option<(Arc<Plan>, Rehearsed)>> {
        let checker = check::checker(kinds)?;
        let Some(plan) = check::plan(&checker, &self.pipeline)? else { return Ok(None) };
        let rehearsed = rehearse(&plan, &self.pipeline, self.order.as_deref())?;
        for unsent in &rehearsed.unsent {
            output::say(unsent);
        }
        Ok(Some((plan, rehearsed)))
    }

    /// Returns the e-mails, or an error if there are none.
    fn mails(&self, rehearsed: &Rehearsed) -> anyhow::Result<Vec<Preview>> {
        let mails = rehearsed.mails(self.locale.as_deref(), self.template.as_deref())?;
        if mails.is_empty() {
            let message = match &self.template {
                Some(template) => {
                    format!("no order sends an e-mail with the template `{template}`")
                }
                None => "no order sends an e-mail".to_owned(),
            };
            return Err(Usage(message).into());
        }
        Ok(mails)
    }
}

/// Writes one part of the first e-mail to standard output.
fn one(what: &What, rehearsed: &Rehearsed, part: Part) -> anyhow::Result<u8> {
    let mails = what.mails(rehearsed)?;
    if let Some(preview) = mails.first() {
        part.answer(&preview.mail)?;
    }
    Ok(exit::FINE)
}

/// Writes each e-mail as HTML, text and complete message.
fn files(what: &What, rehearsed: &Rehearsed, out: &Path, format: Format) -> anyhow::Result<u8> {
    let mails = what.mails(rehearsed)?;
    let mut listed = Vec::new();
    let mut rows = Vec::new();
    for preview in &mails {
        let Preview { key, step, template, mail } = preview;
        let at = |suffix: &str| out.join(format!("{key}.{step}.{suffix}"));
        write(&at("html"), mail.html.as_bytes())?;
        write(&at("txt"), mail.text.as_bytes())?;
        write(&at("eml"), mail.to_rfc5322()?.as_ref())?;
        let findings = judge(preview);
        listed.push(json!({
            "key": key, "step": step, "template": template, "subject": mail.subject, "findings": findings,
            "html": { "path": at("html"), "bytes": mail.html.len() },
            "text": { "path": at("txt"), "bytes": mail.text.len() },
            "eml": { "path": at("eml") },
            "attachments": mail.attachments.iter().map(|attachment| &attachment.name).collect::<Vec<_>>(),
        }));
        let size = format!("{:.1} kB", mail.html.len() as f64 / 1000.0);
        rows.push(vec![
            key.to_string(),
            mail.subject.clone(),
            size,
            at("html").display().to_string(),
        ]);
        for finding in findings {
            output::say(&format!("{key}: warning: {finding}"));
        }
    }
    match format {
        Format::Json => output::json(&json!({ "format_version": 1, "mails": listed }))?,
        Format::Human => {
            output::answer(&render::table(&rows))?;
            let count = format_quantity(mails.len() as u64, "e-mail");
            output::say(&format!("{count}, each as .html, .txt and .eml in {}", out.display()));
        }
    }
    Ok(exit::FINE)
}

fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    if let Some(folder) = path.parent() {
        private::create_directory(folder).with_context(failed)?;
    }
    private::write(path, content).with_context(failed)
}

/// Writes the page with all e-mails in all languages.
fn page(what: &What, plan: &Plan, rehearsed: &Rehearsed, out: &Path) -> anyhow::Result<u8> {
    let locales = match &what.locale {
        Some(locale) => vec![locale.clone()],
        None => rehearsed.locales(),
    };
    let mut cells = Vec::new();
    for locale in &locales {
        for preview in rehearsed.mails(Some(locale), what.template.as_deref())? {
            cells.push((locale.clone(), preview));
        }
    }
    let path = out.join("matrix.html");
    write(&path, matrix::page(plan.name(), &cells).as_bytes())?;
    let mails = format_quantity(cells.len() as u64, "e-mail");
    output::answer(&format!("{}\n", path.display()))?;
    let languages = format_quantity(locales.len() as u64, "language");
    output::say(&format!("{mails} in {languages}, each light and dark, 320 and 600 pixels wide"));
    Ok(exit::FINE)
}

fn lint(what: &What, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let checker = check::checker(kinds)?;
    let checked = check::check(&checker, &what.pipeline);
    let mut found = checked.report.errors() + checked.report.warnings();
    if found > 0 {
        output::answer(&render::human(&checked.report, output::colour_on_stdout()))?;
    }
    if let Some(plan) = checked.plan.map(Arc::new) {
        let rehearsed = rehearse(&plan, &what.pipeline, what.order.as_deref())?;
        let locales = match &what.locale {
            Some(locale) => vec![locale.clone()],
            None => rehearsed.locales(),
        };
        let mut mails = 0;
        for locale in &locales {
            for preview in rehearsed.mails(Some(locale), what.template.as_deref())? {
                mails += 1;
                for finding in judge(&preview) {
                    found += 1;
                    output::answer(&format!("{} in {locale}: warning: {finding}\n", preview.key))?;
                }
            }
        }
        output::say(&format!(
            "{} checked in {}",
            format_quantity(mails, "e-mail"),
            format_quantity(locales.len() as u64, "language")
        ));
    }
    output::answer(&format!(
        "{}   {}\n",
        what.pipeline.display(),
        match found {
            0 => "ok".to_owned(),
            found => format_quantity(found as u64, "finding"),
        }
    ))?;
    Ok(if found == 0 { exit::FINE } else { exit::FINDINGS })
}

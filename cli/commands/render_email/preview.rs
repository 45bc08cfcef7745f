//! `oms render-email preview`: renders the e-mails that a pipeline would send.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oms_engine::plan::Plan;
use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;
use oms_sqlite::private;
use serde_json::json;

use super::Selection;
use crate::emails::lint::lint;
use crate::emails::matrix;
use crate::emails::part::EmailPart;
use crate::emails::preview::{Preview, Rehearsed};
use crate::exit;
use crate::live;
use crate::output::{self, Format};
use crate::render;
use crate::targets::state;

/// Render the e-mails for the pipeline's sample orders to files
///
/// The orders run in memory with the pipeline's seeds. Nothing is sent.
///
/// Example: oms render-email preview pipelines/storefront.yaml
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
    /// Output folder, by default `.oms/<name>/preview` next to the pipeline file
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Write one part of the first e-mail to standard output instead
    #[arg(long, value_enum)]
    part: Option<EmailPart>,
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
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let Args { selection, out, part, matrix, serve, format } = args;
    if let Some(address) = serve {
        let Selection { pipeline, order: orders, template, .. } = selection;
        return live::serve(live::Subject { pipeline, orders, template }, &address, kinds);
    }
    let Some((plan, rehearsed)) = selection.rehearse(kinds)? else { return Ok(exit::FINDINGS) };
    if let Some(part) = part {
        return write_part(&selection, &rehearsed, part);
    }
    let out =
        out.unwrap_or_else(|| state::directory(&selection.pipeline, plan.name()).join("preview"));
    if matrix {
        return write_matrix(&selection, &plan, &rehearsed, &out);
    }
    write_files(&selection, &rehearsed, &out, format)
}

/// Writes one part of the first e-mail to standard output.
fn write_part(selection: &Selection, rehearsed: &Rehearsed, part: EmailPart) -> anyhow::Result<u8> {
    let mails = selection.mails(rehearsed)?;
    if let Some(preview) = mails.first() {
        part.write(&preview.mail)?;
    }
    Ok(exit::SUCCESS)
}

/// Writes each e-mail as HTML, text and complete message.
fn write_files(
    selection: &Selection,
    rehearsed: &Rehearsed,
    out: &Path,
    format: Format,
) -> anyhow::Result<u8> {
    let mails = selection.mails(rehearsed)?;
    let mut listed = Vec::new();
    let mut rows = Vec::new();
    for preview in &mails {
        let Preview { key, step, template, mail } = preview;
        let at = |suffix: &str| out.join(format!("{key}.{step}.{suffix}"));
        write(&at("html"), mail.html.as_bytes())?;
        write(&at("txt"), mail.text.as_bytes())?;
        write(&at("eml"), mail.to_rfc5322()?.as_ref())?;
        let findings = lint(preview);
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
            output::message(&format!("{key}: warning: {finding}"));
        }
    }
    match format {
        Format::Json => output::json(&json!({ "format_version": 1, "mails": listed }))?,
        Format::Human => {
            output::result(&render::table(&rows))?;
            let count = format_quantity(mails.len() as u64, "e-mail");
            output::message(&format!("{count}, each as .html, .txt and .eml in {}", out.display()));
        }
    }
    Ok(exit::SUCCESS)
}

/// Writes the page with all e-mails in all languages.
fn write_matrix(
    selection: &Selection,
    plan: &Plan,
    rehearsed: &Rehearsed,
    out: &Path,
) -> anyhow::Result<u8> {
    let locales = match &selection.locale {
        Some(locale) => vec![locale.clone()],
        None => rehearsed.locales(),
    };
    let mut cells = Vec::new();
    for locale in &locales {
        for preview in rehearsed.mails(Some(locale), selection.template.as_deref())? {
            cells.push((locale.clone(), preview));
        }
    }
    let path = out.join("matrix.html");
    write(&path, matrix::page(plan.name(), &cells).as_bytes())?;
    let mails = format_quantity(cells.len() as u64, "e-mail");
    output::result(&format!("{}\n", path.display()))?;
    let languages = format_quantity(locales.len() as u64, "language");
    output::message(&format!(
        "{mails} in {languages}, each light and dark, 320 and 600 pixels wide"
    ));
    Ok(exit::SUCCESS)
}

fn write(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    let failed = || format!("cannot write `{}`", path.display());
    if let Some(folder) = path.parent() {
        private::create_directory(folder).with_context(failed)?;
    }
    private::write(path, content).with_context(failed)
}

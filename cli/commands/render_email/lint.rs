//! `oms render-email lint`: checks the e-mails that a pipeline would send.

use std::sync::Arc;

use oms_engine::step::StepKind;
use oms_engine::value::format_quantity;

use super::Selection;
use crate::check;
use crate::emails::lint::lint;
use crate::emails::preview::rehearse;
use crate::exit;
use crate::output;
use crate::render;

/// Check the templates, translations and sizes of the e-mails
///
/// Example: oms render-email lint pipelines/storefront.yaml
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(flatten)]
    selection: Selection,
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    let selection = args.selection;
    let checker = check::checker(kinds)?;
    let checked = check::check(&checker, &selection.pipeline);
    let mut found = checked.report.errors() + checked.report.warnings();
    if found > 0 {
        output::result(&render::human(&checked.report, output::color_on_stdout()))?;
    }
    if let Some(plan) = checked.plan.map(Arc::new) {
        let rehearsed = rehearse(&plan, &selection.pipeline, selection.order.as_deref())?;
        let locales = match &selection.locale {
            Some(locale) => vec![locale.clone()],
            None => rehearsed.locales(),
        };
        let mut mails = 0;
        for locale in &locales {
            for preview in rehearsed.mails(Some(locale), selection.template.as_deref())? {
                mails += 1;
                for finding in lint(&preview) {
                    found += 1;
                    output::result(&format!("{} in {locale}: warning: {finding}\n", preview.key))?;
                }
            }
        }
        output::message(&format!(
            "{} checked in {}",
            format_quantity(mails, "e-mail"),
            format_quantity(locales.len() as u64, "language")
        ));
    }
    output::result(&format!(
        "{}   {}\n",
        selection.pipeline.display(),
        match found {
            0 => "ok".to_owned(),
            found => format_quantity(found as u64, "finding"),
        }
    ))?;
    Ok(if found == 0 { exit::SUCCESS } else { exit::FINDINGS })
}

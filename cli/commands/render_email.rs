//! `oms render-email`: previews and checks of the e-mails that a pipeline would send.

mod lint;
mod preview;

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use oms_engine::plan::Plan;
use oms_engine::step::StepKind;

use crate::check;
use crate::emails::preview::{Preview, Rehearsed, rehearse};
use crate::exit::Usage;
use crate::output;

/// Preview or check the e-mails of a pipeline
#[derive(clap::Args, Debug)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Preview(preview::Args),
    Lint(lint::Args),
}

pub(crate) fn run(args: Args, kinds: &[StepKind]) -> anyhow::Result<u8> {
    match args.command {
        Command::Preview(args) => preview::run(args, kinds),
        Command::Lint(args) => lint::run(args, kinds),
    }
}

/// The e-mails to render.
#[derive(clap::Args, Debug)]
struct Selection {
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

impl Selection {
    /// Runs the orders in memory. Returns `None` if the pipeline has errors, which were printed.
    fn rehearse(&self, kinds: &[StepKind]) -> anyhow::Result<Option<(Arc<Plan>, Rehearsed)>> {
        let checker = check::checker(kinds)?;
        let Some(plan) = check::plan(&checker, &self.pipeline)? else { return Ok(None) };
        check::print_unset_settings(&plan, &self.pipeline);
        let rehearsed = rehearse(&plan, &self.pipeline, self.order.as_deref())?;
        for unsent in &rehearsed.unsent {
            output::message(unsent);
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

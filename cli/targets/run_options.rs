//! The options of the commands that run orders.

use std::path::PathBuf;
use std::sync::Arc;

use oms_clock::SystemClock;
use oms_engine::effects::Services;
use oms_engine::plan::Plan;
use oms_runtime::Settings;

use crate::output;
use crate::targets::effect_target::TargetOption;
use crate::targets::email_destination::MailOption;

/// The options of `run` and `serve`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct RunOptions {
    #[command(flatten)]
    pub(crate) target: TargetOption,
    /// Maximum number of concurrent runs per pipeline
    #[arg(long, default_value_t = 1024, value_parser = clap::value_parser!(u16).range(1..))]
    concurrency: u16,
    /// Also write objects and e-mails to files in this folder
    ///
    /// Objects are written to the subfolder `objects`, with the file names of `oms objects export`.
    /// E-mails are written to the Maildir `mail`. With several pipelines, each has its own
    /// subfolder. If a file cannot be written, the command reports it, and the next start with
    /// `--export` writes it.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) mail: MailOption,
}

impl RunOptions {
    /// Returns the settings of a runner. With several pipelines, each exports to a subfolder with
    /// its name.
    ///
    /// # Errors
    /// Returns an error if an option or a setting of the target or of the e-mails is missing.
    pub(crate) fn settings(
        &self,
        plan: &Plan,
        several: bool,
        services: Arc<dyn Services>,
    ) -> anyhow::Result<Settings> {
        let external = self.target.external()?;
        let export = self.export.as_ref().map(|folder| {
            output::export(if several { folder.join(&**plan.name()) } else { folder.clone() })
        });
        Ok(Settings {
            concurrency: self.concurrency.into(),
            export,
            mail: self.mail.delivery(plan, external.as_ref())?,
            remote: external.map(|external| external.remote),
            services,
            ..Settings::new(SystemClock)
        })
    }

    /// Returns the options for suggested commands that resume runs, each with a leading space.
    pub(crate) fn shown(&self) -> String {
        format!("{}{}", self.target.shown(), self.mail.shown())
    }
}

//! The destination of e-mails, from the options and the pipeline.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use oms_engine::mail::Security;
use oms_engine::pipeline::{SettingSource, SmtpSection};
use oms_engine::plan::Plan;
use oms_runtime::MailDelivery;
use oms_smtp::{Credentials, Settings, SmtpMailer};

use crate::exit::Usage;
use crate::output;
use crate::targets::external::ExternalTarget;
use crate::targets::secret;

/// The option for the destination of e-mails.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct MailOption {
    /// Destination of e-mails
    ///
    /// The default is the outbox in the state directory, and SES with `--target aws`. If the state
    /// was last used with a mail server, the option is required, so that no e-mail stays in the
    /// outbox unnoticed.
    #[arg(long, value_enum)]
    mail: Option<EmailDestination>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum EmailDestination {
    /// Keep e-mails in the state directory and send nothing
    Outbox,
    /// Send e-mails through the server in `mail.smtp`
    Smtp,
}

impl MailOption {
    /// Returns whether e-mails leave this machine.
    pub(crate) fn sends_mail(self, by_default: bool) -> bool {
        match self.mail {
            None => by_default,
            Some(destination) => destination == EmailDestination::Smtp,
        }
    }

    /// Returns whether the option is not given.
    pub(crate) const fn is_default(self) -> bool {
        self.mail.is_none()
    }

    /// Returns the option for a suggested command, with a leading space.
    pub(crate) const fn shown(self) -> &'static str {
        match self.mail {
            None => "",
            Some(EmailDestination::Outbox) => " --mail outbox",
            Some(EmailDestination::Smtp) => " --mail smtp",
        }
    }

    /// Returns the destination that the option selects. With `--mail smtp`, prints the server.
    ///
    /// # Errors
    /// Returns an error if the pipeline has no server, or a variable or secret of its settings is
    /// missing.
    pub(crate) fn delivery(
        self,
        plan: &Plan,
        external: Option<&ExternalTarget>,
    ) -> anyhow::Result<Option<MailDelivery>> {
        match self.mail {
            None => {
                Ok(external.and_then(|external| external.mailer.clone()).map(MailDelivery::Server))
            }
            Some(EmailDestination::Outbox) => Ok(Some(MailDelivery::Outbox)),
            Some(EmailDestination::Smtp) => {
                let section = plan.mail().and_then(|mail| mail.smtp.as_ref());
                let section = section.ok_or_else(|| {
                    Usage("the pipeline has no SMTP server; add `mail.smtp`".to_owned())
                })?;
                let settings = settings(section)?;
                output::message(&format!(
                    "e-mails are sent through {}:{}",
                    settings.host, settings.port
                ));
                Ok(Some(MailDelivery::Server(Arc::new(SmtpMailer::new(settings)?))))
            }
        }
    }
}

fn settings(section: &SmtpSection) -> anyhow::Result<Settings> {
    let given = |what: &str, given: &Option<SettingSource>| {
        let read = given.as_ref().map(secret::read_source).transpose();
        read.with_context(|| format!("cannot read `mail.smtp.{what}`"))
    };
    let user = given("user", &section.user)?;
    let password = given("password", &section.password)?;
    let port = section.port.unwrap_or(match section.security {
        Security::Starttls => 587,
        Security::Tls => 465,
        Security::None => 25,
    });
    Ok(Settings {
        host: section.host.clone(),
        port,
        security: section.security,
        credentials: user.zip(password).map(|(user, password)| Credentials { user, password }),
        helo_name: section.helo_name.clone(),
        timeout: Duration::from_secs(section.timeout_seconds.into()),
        connections: section.connections as usize,
    })
}

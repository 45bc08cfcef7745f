//! Where mail goes, as the call and the pipeline say.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use oms_engine::mail::Security;
use oms_engine::pipeline::{Given, SmtpSection};
use oms_engine::plan::Plan;
use oms_runtime::Mailing;
use oms_smtp::{Credentials, Settings, SmtpMailer};

use crate::exit::Usage;
use crate::output;
use crate::world::Outside;

/// The option that says where mail goes.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct MailOption {
    /// Where mail goes: `outbox` keeps it in the state directory, `smtp` sends it by the pipeline's `mail.smtp`; with `--target aws` it is sent by SES
    /// unless something else is said. A state whose mails were sent
    /// wants to be told again, so that no mail stays behind unnoticed
    #[arg(long, value_enum)]
    mail: Option<Way>,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Kept in the state directory; nothing is sent
    Outbox,
    /// Sent by the server that the pipeline names
    Smtp,
}

/// The variable that names the folder of secrets (systemd.exec(5), "Credentials").
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

impl MailOption {
    /// Tells whether mail leaves this machine.
    pub(crate) fn leaves(self, by_default: bool) -> bool {
        match self.mail {
            None => by_default,
            Some(way) => way == Way::Smtp,
        }
    }

    /// Returns the argument that repeats the option in a hint, with a space before it.
    pub(crate) const fn shown(self) -> &'static str {
        match self.mail {
            None => "",
            Some(Way::Outbox) => " --mail outbox",
            Some(Way::Smtp) => " --mail smtp",
        }
    }

    /// Gets ready what the call asks for, and says so where mail leaves this machine.
    ///
    /// # Errors
    /// When the pipeline has no server, or what it names is not there.
    pub(crate) fn mailing(
        self,
        plan: &Plan,
        outside: Option<&Outside>,
    ) -> anyhow::Result<Option<Mailing>> {
        match self.mail {
            None => Ok(outside.and_then(|outside| outside.mailer.clone()).map(Mailing::Out)),
            Some(Way::Outbox) => Ok(Some(Mailing::Outbox)),
            Some(Way::Smtp) => {
                let section = plan.mail().and_then(|mail| mail.smtp.as_ref());
                let section = section.ok_or_else(|| {
                    Usage("the pipeline names no server to send by; add `mail.smtp`".to_owned())
                })?;
                let settings = settings(section)?;
                output::say(&format!("mail is sent by {}:{}", settings.host, settings.port));
                Ok(Some(Mailing::Out(Arc::new(SmtpMailer::new(settings)?))))
            }
        }
    }
}

fn settings(section: &SmtpSection) -> anyhow::Result<Settings> {
    let given = |what: &str, given: &Option<Given>| {
        let read = given.as_ref().map(read).transpose();
        read.with_context(|| format!("`mail.smtp.{what}` cannot be used"))
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

/// Reads what a setting names.
#[expect(clippy::disallowed_methods, reason = "the pipeline says which variables are asked")]
fn read(given: &Given) -> anyhow::Result<String> {
    match given {
        Given::Text(text) => Ok(text.clone()),
        Given::Env(name) => std::env::var(name)
            .with_context(|| format!("the variable `{name}` is not in the environment")),
        Given::Secret(name) => {
            let folder = std::env::var_os(CREDENTIALS_DIRECTORY).with_context(|| {
                format!("`{CREDENTIALS_DIRECTORY}`, which names the folder of the secret `{name}`, is not in the environment")
            })?;
            let path = PathBuf::from(folder).join(name);
            let text = std::fs::read_to_string(&path)
                .with_context(|| format!("`{}` cannot be read", path.display()))?;
            Ok(text.trim_end_matches(['\r', '\n']).to_owned())
        }
    }
}

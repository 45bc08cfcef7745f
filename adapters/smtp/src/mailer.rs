//! The mailer port on an SMTP server, and the pool of its connections.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::authentication;
use lettre::transport::smtp::extension::ClientId;
use oms_core::effects::{Call, Io, Mailer, PendingPermit, Permit, StepError, cause};
use oms_core::mail::Mail;
use oms_core::mail::Security;
use tokio::sync::Semaphore;

use crate::connection::{Connection, NotAccepted, Server};
use crate::tls::Tls;

/// A user name and a password.
#[derive(Clone)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// Converts the credentials to the type that `lettre` uses.
    pub(crate) fn for_lettre(&self) -> authentication::Credentials {
        authentication::Credentials::new(self.user.clone(), self.password.clone())
    }
}

/// The settings of a mail server.
#[derive(Clone)]
pub struct Settings {
    /// The name or address of the server.
    pub host: String,
    /// The port.
    pub port: u16,
    /// How the connection is encrypted. The server's certificate is verified with the trusted
    /// certificates of the system, or with those in the file that `SSL_CERT_FILE` names.
    pub security: Security,
    /// The credentials for the login.
    pub credentials: Option<Credentials>,
    /// The name of this machine in `EHLO`: a domain or an address literal. The default is
    /// `[127.0.0.1]`.
    pub helo_name: Option<String>,
    /// Timeout of a command.
    pub timeout: Duration,
    /// Maximum number of open connections.
    pub connections: usize,
}

/// Why a mailer cannot be created.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// TLS cannot be set up.
    #[error("cannot set up TLS for the mail server `{host}`")]
    Tls {
        /// The server.
        host: String,
        /// The reason.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A mailer that uses an SMTP server.
pub struct SmtpMailer {
    server: Server,
    permits: Arc<Semaphore>,
    /// Idle connections.
    idle: Mutex<Vec<Connection>>,
}

impl SmtpMailer {
    /// Returns a mailer. It connects when it sends the first e-mail.
    ///
    /// # Errors
    /// Returns an error if TLS is required, and the host name is invalid or TLS cannot be set up.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        let Settings { host, port, security, credentials, helo_name, timeout, connections } =
            settings;
        let tls = match security {
            Security::None => None,
            Security::Starttls | Security::Tls => Some(Tls::new(&host)?),
        };
        // An address literal is already in brackets, so it is written like a domain.
        let hello = helo_name.map_or_else(ClientId::default, ClientId::Domain);
        Ok(Self {
            server: Server { host, port, security, tls, credentials, hello, timeout },
            permits: Arc::new(Semaphore::new(connections.max(1))),
            idle: Mutex::default(),
        })
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(&self, call: &Call, mail: &Mail) -> Result<(), StepError> {
        call.outcome_unknown.clear();
        let build_error = |error| {
            StepError::permanent(cause::OUT_OF_RANGE, "cannot build the e-mail").caused_by(error)
        };
        let message = mail.to_rfc5322().map_err(build_error)?;
        let envelope = mail.envelope().map_err(build_error)?;
        loop {
            let kept = self.idle().pop();
            let was_kept = kept.is_some();
            let mut connection = match kept {
                Some(connection) => connection,
                None => self.server.connect().await?,
            };
            match connection.send(call, &envelope, &message).await {
                Ok(()) => {
                    self.idle().push(connection);
                    return Ok(());
                }
                // The server closed the idle connection before it received anything about this
                // e-mail.
                Err(NotAccepted { was_closed: true, .. }) if was_kept => {}
                Err(NotAccepted { error, .. }) => return Err(error),
            }
        }
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, call: &'a Call, mail: Mail) -> Io<'a, ()> {
        Box::pin(async move { self.deliver(call, &mail).await })
    }

    /// Limits concurrent e-mails to the maximum number of connections.
    fn acquire_permit(&self, wait: bool) -> PendingPermit<'_> {
        let permits = Arc::clone(&self.permits);
        Box::pin(async move {
            let permit = match wait {
                true => permits.acquire_owned().await.ok(),
                false => permits.try_acquire_owned().ok(),
            };
            permit.map(|permit| Box::new(permit) as Permit)
        })
    }

    fn close(&self) {
        self.permits.close();
    }
}

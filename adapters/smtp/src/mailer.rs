//! [`SmtpMailer`]: the port, and the connections that it keeps.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use lettre::transport::smtp::authentication;
use lettre::transport::smtp::extension::ClientId;
use oms_core::effects::{Admission, Call, Io, Leave, Mailer, StepError, cause};
use oms_core::mail::Mail;
use oms_core::mail::Security;
use tokio::sync::Semaphore;

use crate::connection::{Connection, NotTaken, Server};
use crate::tls::Tls;

/// A name and a password.
#[derive(Clone)]
pub struct Credentials {
    /// The name.
    pub user: String,
    /// The password.
    pub password: String,
}

impl Credentials {
    /// Returns them in the form of `lettre`.
    pub(crate) fn for_lettre(&self) -> authentication::Credentials {
        authentication::Credentials::new(self.user.clone(), self.password.clone())
    }
}

/// Where the server is and how it is talked to.
#[derive(Clone)]
pub struct Settings {
    /// Its name or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted. The server's certificate is held against what the system trusts (`SSL_CERT_FILE` names another list).
    pub security: Security,
    /// The name and the password to log in with.
    pub credentials: Option<Credentials>,
    /// The name of this machine in `EHLO`: a domain or an address literal. The default is `[127.0.0.1]`.
    pub helo_name: Option<String>,
    /// How long the server may take to answer a command.
    pub timeout: Duration,
    /// Connections that are open at the same time at the most.
    pub connections: usize,
}

/// Why a server cannot be used, before anything was said to it.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// TLS cannot be prepared.
    #[error("TLS to the mail server `{host}` cannot be prepared")]
    Tls {
        /// The server.
        host: String,
        /// Why.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A mailer on an SMTP server.
pub struct SmtpMailer {
    server: Server,
    permits: Arc<Semaphore>,
    /// Connections that wait for the next mail.
    idle: Mutex<Vec<Connection>>,
}

impl SmtpMailer {
    /// Gets ready to send by a server; nothing is connected before the first mail.
    ///
    /// # Errors
    /// The host name is invalid.
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
        call.doubt.lift();
        let unmade = |error| {
            StepError::permanent(cause::OUT_OF_RANGE, "the mail cannot be made").caused_by(error)
        };
        let message = mail.to_rfc5322().map_err(unmade)?;
        let envelope = mail.envelope().map_err(unmade)?;
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
                // The server had closed it meanwhile; nothing was said about this mail yet.
                Err(NotTaken { was_closed: true, .. }) if was_kept => {}
                Err(NotTaken { error, .. }) => return Err(error),
            }
        }
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, call: &'a Call, mail: Mail) -> Io<'a, ()> {
        Box::pin(async move { self.deliver(call, &mail).await })
    }

    /// As many mails are under way as connections may be open.
    fn admit(&self, wait: bool) -> Admission<'_> {
        let permits = Arc::clone(&self.permits);
        Box::pin(async move {
            let permit = match wait {
                true => permits.acquire_owned().await.ok(),
                false => permits.try_acquire_owned().ok(),
            };
            permit.map(|permit| Box::new(permit) as Leave)
        })
    }

    fn close(&self) {
        self.permits.close();
    }
}

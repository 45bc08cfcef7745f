//! One connection to the server, from the greeting to the last reply.

use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter};
use oms_engine::effects::{Call, StepError, cause};
use oms_engine::mail::Envelope;
use oms_engine::pipeline::Security;
use tokio::time::timeout;

use crate::failure::{Phase, late, meaning};

/// How long the server may take to answer for a message that it was given: RFC 5321, 4.5.3.2.6. Giving up earlier makes a mail whose outcome is
/// not known of one that is on its way.
const FINAL_REPLY: Duration = Duration::from_secs(600);

/// The ways to authenticate that are used, the better one first.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// Where the server is and how it is talked to.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) tls: Option<TlsParameters>,
    pub(crate) credentials: Option<Credentials>,
    pub(crate) timeout: Duration,
}

/// A connection that is ready for a mail.
pub(crate) struct Connection {
    smtp: AsyncSmtpConnection,
    timeout: Duration,
}

/// Waits for the server, but not for ever.
async fn within<T>(
    limit: Duration,
    phase: Phase,
    answer: impl Future<Output = Result<T, Error>>,
) -> Result<T, StepError> {
    match timeout(limit, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(meaning(phase, &error)),
        Err(_) => Err(late(phase)),
    }
}

impl Server {
    /// Connects, encrypts and authenticates.
    pub(crate) async fn connect(&self) -> Result<Connection, StepError> {
        let name = ClientId::default();
        let implicit = self.tls.clone().filter(|_| self.security == Security::Tls);
        let address = (self.host.as_str(), self.port);
        let connecting =
            AsyncSmtpConnection::connect_tokio1(address, Some(self.timeout), &name, implicit, None);
        let mut smtp = within(self.timeout, Phase::Connect, connecting).await?;
        if let (Security::Starttls, Some(tls)) = (self.security, &self.tls) {
            if !smtp.can_starttls() {
                let message = "the mail server offers no STARTTLS; without encryption nothing is sent, unless `security: none` says so";
                return Err(StepError::permanent(cause::REFUSED, message));
            }
            within(self.timeout, Phase::Connect, smtp.starttls(tls.clone(), &name)).await?;
        }
        if let Some(credentials) = &self.credentials {
            within(self.timeout, Phase::Login, smtp.auth(&MECHANISMS, credentials)).await?;
        }
        Ok(Connection { smtp, timeout: self.timeout })
    }
}

/// Why a mail was not taken.
pub(crate) struct NotTaken {
    pub(crate) error: StepError,
    /// Whether the connection turned out to be closed before anything was said about this mail.
    pub(crate) was_closed: bool,
}

impl From<StepError> for NotTaken {
    fn from(error: StepError) -> Self {
        Self { error, was_closed: false }
    }
}

impl Connection {
    /// Sends a message.
    pub(crate) async fn send(
        &mut self,
        call: &Call,
        envelope: &Envelope,
        message: &[u8],
    ) -> Result<(), NotTaken> {
        let [from, to] = [&envelope.from, &envelope.to].map(|address| address.parse::<Address>());
        let (Ok(from), Ok(to)) = (from, to) else {
            let message = "the mail's address is none";
            return Err(StepError::permanent(cause::BAD_ADDRESS, message).into());
        };
        let mut parameters = Vec::new();
        if envelope.beyond_ascii {
            if !self.smtp.server_info().supports_feature(Extension::SmtpUtfEight) {
                let message = "the mail server takes no address beyond ASCII (it has no SMTPUTF8)";
                return Err(StepError::permanent(cause::BAD_ADDRESS, message).into());
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let limit = self.timeout;
        match timeout(limit, self.smtp.command(Mail::new(Some(from), parameters))).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                // 421: the server closes a connection that was idle for too long.
                let was_closed = error.status().is_none_or(|code| u16::from(code) == 421);
                return Err(NotTaken { error: meaning(Phase::Sender, &error), was_closed });
            }
            Err(_) => return Err(late(Phase::Sender).into()),
        }
        within(limit, Phase::Recipient, self.smtp.command(Rcpt::new(to, Vec::new()))).await?;
        let go_on = within(limit, Phase::Data, self.smtp.command(Data)).await?;
        // Any other word would have the message read as commands.
        if !go_on.has_code(354) {
            let message = "the mail server answers out of turn, and was not given the message";
            return Err(StepError::transient(cause::UNAVAILABLE, message).into());
        }
        call.doubt.begin();
        let reply = within(FINAL_REPLY, Phase::Message, self.smtp.message(message)).await?;
        // Only 2xx says that the server has it (RFC 5321, 4.2.1).
        if u16::from(reply.code()) / 100 == 2 { Ok(()) } else { Err(late(Phase::Message).into()) }
    }
}

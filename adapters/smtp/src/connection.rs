//! A connection to the server, from the greeting to the last reply.
//!
//! `lettre` formats the commands and parses the replies, but this crate reads the replies itself.
//! The reader of `lettre` accepts lines of any length and parses a reply again for each line.

use std::fmt::Display;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use lettre::Address;
use lettre::transport::smtp::authentication::Mechanism;
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, Extension, MailParameter, ServerInfo};
use lettre::transport::smtp::response::Response;
use oms_core::effects::{Call, StepError, cause};
use oms_core::mail::Envelope;
use oms_core::mail::Security;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncWrite, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::Credentials;
use crate::failure::{Phase, classify, timed_out};
use crate::fault::Fault;
use crate::reply;
use crate::tls::Tls;

/// Timeout for sending a message and receiving the reply to it (RFC 5321, 4.5.3.2.6). A shorter
/// timeout would turn e-mails that are being delivered into e-mails with an unknown outcome.
const FINAL_REPLY: Duration = Duration::from_secs(600);

/// The supported authentication mechanisms, the preferred one first.
const MECHANISMS: [Mechanism; 2] = [Mechanism::Plain, Mechanism::Login];

/// The address of the server, and the settings of its connections.
pub(crate) struct Server {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) security: Security,
    pub(crate) tls: Option<Tls>,
    pub(crate) credentials: Option<Credentials>,
    /// The name in `EHLO`.
    pub(crate) hello: ClientId,
    pub(crate) timeout: Duration,
}

/// Waits for the server, with a timeout.
async fn within<T>(
    limit: Duration,
    phase: Phase,
    answer: impl Future<Output = Result<T, Fault>>,
) -> Result<T, StepError> {
    match timeout(limit, answer).await {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(fault)) => Err(classify(phase, &fault)),
        Err(_) => Err(timed_out(phase)),
    }
}

impl Server {
    /// Connects, encrypts and authenticates.
    pub(crate) async fn connect(&self) -> Result<Connection, StepError> {
        let mut connection = match within(self.timeout, Phase::Connect, self.open()).await? {
            Opened::Ready(connection) => connection,
            Opened::NoStartTls => {
                let message = "the mail server does not offer STARTTLS; to send without encryption, set `security: none`";
                return Err(StepError::permanent(cause::REFUSED, message));
            }
        };
        if let Some(credentials) = &self.credentials {
            within(self.timeout, Phase::Login, connection.login(credentials)).await?;
        }
        Ok(connection)
    }

    async fn open(&self) -> Result<Opened, Fault> {
        let tcp = TcpStream::connect((self.host.as_str(), self.port)).await?;
        tcp.set_nodelay(true)?;
        let ready = match (&self.tls, self.security) {
            (Some(tls), Security::Tls) => self.begin(tls.encrypt(tcp).await?).await?,
            (Some(tls), _) => {
                let mut plain = Session::begin(tcp).await?;
                if !plain.ehlo(&self.hello).await?.supports_feature(Extension::StartTls) {
                    return Ok(Opened::NoStartTls);
                }
                plain.command(Starttls).await?;
                // Bytes from before the handshake must not count as replies after it.
                if !plain.stream.buffer().is_empty() {
                    return Err(Fault::NoReply);
                }
                let stream = tls.encrypt(plain.stream.into_inner()).await?;
                self.finish_handshake(Session::new(Box::new(stream))).await?
            }
            (None, _) => self.begin(tcp).await?,
        };
        Ok(Opened::Ready(ready))
    }

    async fn begin(&self, stream: impl Stream + 'static) -> Result<Connection, Fault> {
        self.finish_handshake(Session::begin(Box::new(stream) as Box<dyn Stream>).await?).await
    }

    /// Sends `EHLO` and returns the connection.
    async fn finish_handshake(
        &self,
        mut session: Session<Box<dyn Stream>>,
    ) -> Result<Connection, Fault> {
        let extensions = session.ehlo(&self.hello).await?;
        Ok(Connection { session, extensions, timeout: self.timeout })
    }
}

enum Opened {
    Ready(Connection),
    /// The server does not support STARTTLS.
    NoStartTls,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A sequence of commands and replies.
struct Session<S> {
    stream: BufReader<S>,
}

impl<S: Stream> Session<S> {
    fn new(stream: S) -> Self {
        Self { stream: BufReader::new(stream) }
    }

    /// Reads the greeting.
    async fn begin(stream: S) -> Result<Self, Fault> {
        let mut session = Self::new(stream);
        session.reply().await?;
        Ok(session)
    }

    /// Sends `EHLO` and returns the server's extensions.
    async fn ehlo(&mut self, hello: &ClientId) -> Result<ServerInfo, Fault> {
        let reply = self.command(Ehlo::new(hello.clone())).await?;
        ServerInfo::from_response(&reply).map_err(|_| Fault::NoReply)
    }

    async fn command(&mut self, command: impl Display) -> Result<Response, Fault> {
        // A reply that has already arrived would count as the reply to this command.
        if self.has_unread() {
            return Err(Fault::NoReply);
        }
        self.write(command.to_string().as_bytes()).await?;
        self.reply().await
    }

    /// Returns whether the server has sent bytes that were not read, or has closed the connection.
    fn has_unread(&mut self) -> bool {
        let fill = pin!(self.stream.fill_buf());
        fill.poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.stream.write_all(bytes).await?;
        Ok(self.stream.flush().await?)
    }

    async fn reply(&mut self) -> Result<Response, Fault> {
        let reply = reply::read(&mut self.stream).await?;
        if reply.is_positive() { Ok(reply) } else { Err(Fault::Rejected(reply)) }
    }
}

/// A connection that is ready for an e-mail.
pub(crate) struct Connection {
    session: Session<Box<dyn Stream>>,
    /// The server's extensions.
    extensions: ServerInfo,
    timeout: Duration,
}

/// Why an e-mail was not accepted.
pub(crate) struct NotAccepted {
    pub(crate) error: StepError,
    /// Whether the connection was found closed before the server received anything about this
    /// e-mail.
    pub(crate) was_closed: bool,
}

impl From<StepError> for NotAccepted {
    fn from(error: StepError) -> Self {
        Self { error, was_closed: false }
    }
}

impl Connection {
    async fn login(&mut self, credentials: &Credentials) -> Result<(), Fault> {
        let mechanism =
            self.extensions.get_auth_mechanism(&MECHANISMS).ok_or(Fault::Unsupported)?;
        let first =
            Auth::new(mechanism, credentials.for_lettre(), None).map_err(|_| Fault::Unsupported)?;
        let mut reply = self.session.command(first).await?;
        // `PLAIN` sends everything at once. `LOGIN` sends the name and then the password,
        // regardless of the text of the challenges (draft-murchison-sasl-login-00).
        let answers: &[&str] = match mechanism {
            Mechanism::Login => &[&credentials.user, &credentials.password],
            _ => &[],
        };
        for answer in answers {
            if !reply.has_code(334) {
                return Ok(());
            }
            reply = self.session.command(format!("{}\r\n", BASE64_STANDARD.encode(answer))).await?;
        }
        if reply.has_code(334) { Err(Fault::NoReply) } else { Ok(()) }
    }

    /// Sends an e-mail.
    pub(crate) async fn send(
        &mut self,
        call: &Call,
        envelope: &Envelope,
        message: &[u8],
    ) -> Result<(), NotAccepted> {
        let [from, to] = [&envelope.from, &envelope.to].map(|address| address.parse::<Address>());
        let (Ok(from), Ok(to)) = (from, to) else {
            let message = "the e-mail address is invalid";
            return Err(StepError::permanent(cause::BAD_ADDRESS, message).into());
        };
        let mut parameters = Vec::new();
        if envelope.needs_smtputf8 {
            if !self.extensions.supports_feature(Extension::SmtpUtfEight) {
                let message =
                    "the mail server accepts only ASCII addresses (it does not support SMTPUTF8)";
                return Err(StepError::permanent(cause::BAD_ADDRESS, message).into());
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        let limit = self.timeout;
        match timeout(limit, self.session.command(Mail::new(Some(from), parameters))).await {
            Ok(Ok(_)) => {}
            Ok(Err(fault)) => {
                // 421: the server closes a connection after an idle timeout.
                let was_closed = fault.code().is_none_or(|code| code == 421);
                return Err(NotAccepted { error: classify(Phase::Sender, &fault), was_closed });
            }
            Err(_) => return Err(timed_out(Phase::Sender).into()),
        }
        within(limit, Phase::Recipient, self.session.command(Rcpt::new(to, Vec::new()))).await?;
        let go_on = within(limit, Phase::Data, self.session.command(Data)).await?;
        // After any other reply, the server would read the message as commands.
        if !go_on.has_code(354) || self.session.has_unread() {
            let message = "the mail server sent an unexpected reply, and the message was not sent";
            return Err(StepError::transient(cause::UNAVAILABLE, message).into());
        }
        call.outcome_unknown.set();
        let transfer = async {
            self.session.write(&dot_stuffed(message)).await?;
            self.session.reply().await
        };
        let reply = within(FINAL_REPLY, Phase::Message, transfer).await?;
        // Only 2xx confirms that the server has the message (RFC 5321, 4.2.1).
        if u16::from(reply.code()) / 100 == 2 {
            Ok(())
        } else {
            Err(timed_out(Phase::Message).into())
        }
    }
}

/// Returns the message with the final period. Periods at the start of lines are doubled (RFC 5321,
/// 4.5.2).
fn dot_stuffed(message: &[u8]) -> Vec<u8> {
    let mut data = Vec::with_capacity(message.len() + 100);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            data.push(b'.');
        }
        data.extend_from_slice(line);
    }
    if !data.ends_with(b"\r\n") {
        data.extend_from_slice(b"\r\n");
    }
    data.extend_from_slice(b".\r\n");
    data
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_period_at_the_start_of_a_line_is_doubled() {
        for (message, data) in [
            ("a\r\n", "a\r\n.\r\n"),
            ("a", "a\r\n.\r\n"),
            (".\r\n..\r\na.\r\n.b", "..\r\n...\r\na.\r\n..b\r\n.\r\n"),
            ("", "\r\n.\r\n"),
        ] {
            assert_eq!(String::from_utf8(dot_stuffed(message.as_bytes())).unwrap(), data);
        }
    }
}

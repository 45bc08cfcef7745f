//! How a conversation with the server can go wrong.

use lettre::transport::smtp::response::Response;

/// What went wrong.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The server said no: a reply of 4xx or 5xx.
    Refused(Response),
    /// What the server says is no reply, or a longer one than is read.
    NoReply,
    /// There is no connection, or it was lost.
    Lost,
    /// The server offers no way to do what this connection needs.
    Lacks,
}

impl Fault {
    /// Returns the code of the server's refusal.
    pub(crate) fn code(&self) -> Option<u16> {
        match self {
            Self::Refused(reply) => Some(reply.code().into()),
            Self::NoReply | Self::Lost | Self::Lacks => None,
        }
    }
}

impl From<std::io::Error> for Fault {
    fn from(_: std::io::Error) -> Self {
        Self::Lost
    }
}

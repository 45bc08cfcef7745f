//! The encryption of a connection to a mail server.

use schemars::JsonSchema;
use serde::Deserialize;

/// The encryption of the connection to an SMTP server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// STARTTLS (RFC 3207). The server must support it.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Tls,
    /// No encryption, for a server on the same machine.
    None,
}

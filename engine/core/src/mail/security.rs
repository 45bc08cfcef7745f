//! The encryption of a connection to a mail server.

use schemars::JsonSchema;
use serde::Deserialize;

/// How a connection to a mail server is encrypted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Security {
    /// By STARTTLS (RFC 3207), which the server must offer.
    #[default]
    Starttls,
    /// By TLS from the first byte (RFC 8314).
    Tls,
    /// Not at all: for a server on the same machine.
    None,
}

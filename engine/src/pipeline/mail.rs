//! The mail section: who sends, in which templates, by which server.

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// Who sends mail, and where its templates lie.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailSection {
    /// The sender, such as `Orders <orders@example.com>`.
    pub from: String,
    /// The folder of templates, relative to the pipeline.
    pub templates: String,
    /// The locale of the templates themselves (BCP 47); other locales fall back to it.
    #[serde(default = "locale_default")]
    pub locale: String,
    /// The server that `--mail smtp` sends by. Without that option mails are kept in the outbox.
    pub smtp: Option<SmtpSection>,
}

fn locale_default() -> String {
    "en".to_owned()
}

/// A mail server that is reached by SMTP (RFC 5321).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpSection {
    /// The server's name, such as `smtp.example.com`.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// Its port. Without it: 587 with `starttls`, 465 with `tls`, 25 with `none`.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// How the connection is encrypted.
    #[serde(default)]
    pub security: Security,
    /// The name to authenticate with: a text, `{ env: NAME }` or `{ secret: NAME }`.
    pub user: Option<Given>,
    /// The password: `{ env: NAME }` for a variable of the environment, `{ secret: NAME }` for a
    /// file in `$CREDENTIALS_DIRECTORY`.
    pub password: Option<Given>,
    /// The name of this machine in the SMTP greeting `EHLO`, such as `shop.example.com`. Without
    /// it: `[127.0.0.1]`.
    #[schemars(length(min = 1, max = 253))]
    pub helo_name: Option<String>,
    /// Seconds that the server may take to answer a command.
    #[serde(default = "timeout_default")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: u32,
    /// Connections that are open at the same time at the most.
    #[serde(default = "connections_default")]
    #[schemars(range(min = 1, max = 64))]
    pub connections: u32,
}

const fn timeout_default() -> u32 {
    30
}

const fn connections_default() -> u32 {
    4
}

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

/// A setting that stands in the file, or where the file says.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "GivenForm")]
pub enum Given {
    /// It stands in the file.
    Text(String),
    /// A variable of the environment has it.
    Env(String),
    /// A file in the folder `$CREDENTIALS_DIRECTORY` has it (systemd's and others' way to hand over
    /// secrets).
    Secret(String),
}

impl std::fmt::Debug for Given {
    /// A text may be a password that somebody wrote where it does not belong.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(_) => f.write_str("«text»"),
            Self::Env(name) => write!(f, "{{ env: {name} }}"),
            Self::Secret(name) => write!(f, "{{ secret: {name} }}"),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum GivenForm {
    Text(String),
    Env { env: String },
    Secret { secret: String },
}

impl From<GivenForm> for Given {
    fn from(form: GivenForm) -> Self {
        match form {
            GivenForm::Text(text) => Self::Text(text),
            GivenForm::Env { env } => Self::Env(env),
            GivenForm::Secret { secret } => Self::Secret(secret),
        }
    }
}

impl JsonSchema for Given {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Given".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // One form for text and map instead of alternatives, so that a fault is told where it is.
        json_schema!({
            "description": "A text, or where it is: `{ env: NAME }`, a variable of the environment; `{ secret: NAME }`, a file in the folder `$CREDENTIALS_DIRECTORY`.",
            "type": ["string", "object"],
            "properties": {
                "env": { "type": "string", "description": "A variable of the environment.", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
                "secret": { "type": "string", "description": "A file in the folder `$CREDENTIALS_DIRECTORY`.", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*$" },
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
        })
    }
}

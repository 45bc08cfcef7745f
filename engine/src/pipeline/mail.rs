//! The `mail` section: the sender, the templates and the SMTP server.

use oms_core::mail::Security;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// The sender of e-mails, and the folder of their templates.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MailSection {
    /// The sender, such as `Orders <orders@example.com>`. Expressions can use settings, as in
    /// `Orders <${{ settings.sender }}>`.
    pub from: String,
    /// The folder of the templates, relative to the pipeline file.
    pub templates: String,
    /// The locale in which the templates are written (BCP 47). It is used if a template has no
    /// translation for the reader's locale.
    #[serde(default = "locale_default")]
    pub locale: String,
    /// The SMTP server that `--mail smtp` uses. By default, e-mails stay in the outbox, and with
    /// `--target aws`, SES sends them.
    pub smtp: Option<SmtpSection>,
}

fn locale_default() -> String {
    "en".to_owned()
}

/// An SMTP server (RFC 5321).
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SmtpSection {
    /// The host name, such as `smtp.example.com`, or a setting, such as
    /// `${{ settings.smtp_host }}`.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// The port. The default is 587 with `starttls`, 465 with `tls` and 25 with `none`.
    #[schemars(range(min = 1))]
    pub port: Option<u16>,
    /// The encryption of the connection.
    #[serde(default)]
    pub security: Security,
    /// The user name for authentication: a text, `{ env: NAME }` or `{ secret: NAME }`.
    pub user: Option<SettingSource>,
    /// The password: `{ env: NAME }` for an environment variable, or `{ secret: NAME }` for a
    /// secret.
    pub password: Option<SettingSource>,
    /// The name of this machine in the SMTP greeting `EHLO`, such as `shop.example.com`. The
    /// default is `[127.0.0.1]`.
    #[schemars(length(min = 1, max = 253))]
    pub helo_name: Option<String>,
    /// The timeout for replies from the server, in seconds.
    #[serde(default = "timeout_default")]
    #[schemars(range(min = 1, max = 600))]
    pub timeout_seconds: u32,
    /// Maximum number of open connections.
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

/// A setting that is either in the file or in a place that the file names.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "SettingSourceForm")]
pub enum SettingSource {
    /// The value itself.
    Text(String),
    /// The name of an environment variable.
    Env(String),
    /// The name of a secret: the file `$CREDENTIALS_DIRECTORY/NAME`, in which systemd and other
    /// programs pass secrets, the file that the environment variable `NAME_FILE` names, or the
    /// environment variable `NAME`.
    Secret(String),
}

impl std::fmt::Debug for SettingSource {
    /// Masks texts, because a user may have written a password into the file.
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
enum SettingSourceForm {
    Text(String),
    Env { env: String },
    Secret { secret: String },
}

impl From<SettingSourceForm> for SettingSource {
    fn from(form: SettingSourceForm) -> Self {
        match form {
            SettingSourceForm::Text(text) => Self::Text(text),
            SettingSourceForm::Env { env } => Self::Env(env),
            SettingSourceForm::Secret { secret } => Self::Secret(secret),
        }
    }
}

impl JsonSchema for SettingSource {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Given".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // A single schema for text and map instead of alternatives. Faults in alternatives have no
        // exact place.
        json_schema!({
            "description": "A text, or a reference to it: `{ env: NAME }` for an environment variable, `{ secret: NAME }` for a secret.",
            "type": ["string", "object"],
            "properties": {
                "env": { "type": "string", "description": "The name of an environment variable.", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$" },
                "secret": { "type": "string", "description": "The name of a secret: the file `$CREDENTIALS_DIRECTORY/NAME`, the file that the environment variable `NAME_FILE` names, or the environment variable `NAME`.", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*$" },
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
        })
    }
}

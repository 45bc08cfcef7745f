//! The `services` section: HTTP services that steps call.

use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::mail::SettingSource;

/// An HTTP service that `http.request` calls.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceSection {
    /// The URL to which the paths of requests are appended, such as `https://api.example.com/v2`.
    /// It can be a setting, such as `${{ settings.payments_url }}`.
    pub base_url: String,
    /// The credentials of every request.
    pub auth: Option<AuthSection>,
    /// Headers of every request. Values can use settings.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Maximum duration of a request, from connecting to the end of the answer, such as `10s`. The
    /// default is `30s`, the maximum `10m`.
    pub timeout: Option<String>,
    /// Maximum number of concurrent requests of this process to the service.
    #[serde(default = "max_concurrency_default")]
    #[schemars(range(min = 1, max = 10_000))]
    pub max_concurrency: u32,
    /// Maximum rate of requests of this process to the service.
    pub rate: Option<RateSection>,
    /// How the service recognizes a repeated `POST` or `PATCH` request. Without it, such a request
    /// is repeated only if the service surely did not receive it.
    pub idempotency: Option<IdempotencySection>,
}

const fn max_concurrency_default() -> u32 {
    32
}

/// The credentials of requests: exactly one of the keys.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("minProperties" = 1, "maxProperties" = 1))]
pub struct AuthSection {
    /// A token in `Authorization: Bearer` (RFC 6750).
    pub bearer: Option<SecretRef>,
    /// A user and a password in `Authorization: Basic` (RFC 7617).
    pub basic: Option<BasicSection>,
    /// A header with a secret value, such as `X-Api-Key`.
    pub header: Option<HeaderSection>,
}

/// A user and a password.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BasicSection {
    /// The user: a text, `{ env: NAME }` or `{ secret: NAME }`.
    pub user: SettingSource,
    /// The password. Without it, the password is empty.
    pub password: Option<SecretRef>,
}

/// A header with a secret value.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeaderSection {
    /// The name of the header.
    pub name: String,
    /// Its value.
    pub value: SecretRef,
}

/// A reference to a secret.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecretRef {
    /// The name of the secret.
    pub secret: String,
}

impl JsonSchema for SecretRef {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A reference to a secret: `{ secret: NAME }`.",
            "type": "object",
            "properties": {
                "secret": { "type": "string", "description": "The name of a secret: the file `$CREDENTIALS_DIRECTORY/NAME`, the file that the environment variable `NAME_FILE` names, or the environment variable `NAME`.", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*$" },
            },
            "required": ["secret"],
            "additionalProperties": false,
        })
    }
}

/// A maximum rate of requests.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RateSection {
    /// Maximum number of requests per second.
    #[schemars(range(min = 1, max = 100_000))]
    pub per_second: u32,
}

/// How a service recognizes repeated requests.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct IdempotencySection {
    /// The header with the idempotency key, such as `Idempotency-Key`.
    pub header: String,
    /// How long the service keeps a key after its first use, such as `24h`. After that, `oms` does
    /// not repeat a request whose outcome is unknown, but holds the run.
    pub keeps: String,
}

//! The keys `verify` and `accept` of the section `intake`, for webhooks.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde_json::json;

/// How the signature of a webhook is verified.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifySection {
    /// The way in which the sender signs.
    pub scheme: VerifyScheme,
    /// The secret that the sender uses: `{ secret: NAME }`. While the sender changes its secret, a
    /// list of the new and the old one.
    pub secret: VerifySecrets,
    /// For `hmac`: the header with the signature.
    #[schemars(regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$"))]
    pub header: Option<String>,
    /// For `hmac`: the hash function. The default is `sha256`.
    pub algorithm: Option<HmacAlgorithm>,
    /// For `hmac`: the encoding of the signature.
    pub encoding: Option<SignatureEncoding>,
    /// For `hmac`: the text before the signature in the header, such as `sha256=`.
    #[schemars(length(max = 100))]
    pub prefix: Option<String>,
}

/// The way in which the sender of a webhook signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyScheme {
    /// Shopify: `X-Shopify-Hmac-SHA256`. The secret is the client secret of the app.
    Shopify,
    /// WooCommerce: `X-WC-Webhook-Signature`. Also replies to the unsigned ping with which
    /// WooCommerce tests a new URL.
    Woocommerce,
    /// Stripe: `Stripe-Signature`, with a timestamp that must be at most 5 minutes old. The secret is
    /// the signing secret of the endpoint and starts with `whsec_`.
    Stripe,
    /// GitHub: `X-Hub-Signature-256`.
    Github,
    /// Standard Webhooks: `webhook-id`, `webhook-timestamp` and `webhook-signature`. The timestamp
    /// must be at most 5 minutes old. The secret is base64, with or without `whsec_` before it.
    StandardWebhooks,
    /// HMAC of the body in a header: `header`, `encoding` and `prefix` describe it.
    Hmac,
}

/// The hash function of an HMAC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HmacAlgorithm {
    /// SHA-256 (FIPS 180-4).
    #[default]
    Sha256,
}

/// The encoding of a signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SignatureEncoding {
    /// Base64 with padding (RFC 4648, section 4).
    Base64,
    /// Hexadecimal digits.
    Hex,
}

/// The names of the secrets that are accepted.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(from = "VerifySecretsForm")]
pub struct VerifySecrets(pub Vec<String>);

#[derive(Deserialize)]
struct SecretForm {
    secret: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum VerifySecretsForm {
    One(SecretForm),
    Several(Vec<SecretForm>),
}

impl From<VerifySecretsForm> for VerifySecrets {
    fn from(form: VerifySecretsForm) -> Self {
        let secrets = match form {
            VerifySecretsForm::One(secret) => vec![secret],
            VerifySecretsForm::Several(secrets) => secrets,
        };
        Self(secrets.into_iter().map(|form| form.secret).collect())
    }
}

impl JsonSchema for VerifySecrets {
    fn schema_name() -> Cow<'static, str> {
        "VerifySecrets".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let name = json!({
            "type": "string",
            "description": "The name of a secret: the file `$CREDENTIALS_DIRECTORY/NAME`, the file that the environment variable `NAME_FILE` names, or the environment variable `NAME`.",
            "pattern": "^[A-Za-z0-9_][A-Za-z0-9._-]*$",
        });
        // A single schema for map and list instead of alternatives. Faults in alternatives have no
        // exact place.
        json_schema!({
            "description": "The secret that the sender uses: `{ secret: NAME }`. While the sender changes its secret, a list of the new and the old one.",
            "type": ["object", "array"],
            "properties": { "secret": name },
            "required": ["secret"],
            "additionalProperties": false,
            "items": {
                "type": "object",
                "properties": { "secret": name },
                "required": ["secret"],
                "additionalProperties": false,
            },
            "minItems": 1,
            "maxItems": 8,
        })
    }
}

/// The webhooks that are accepted, by a header.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AcceptSection {
    /// The header, such as `X-Shopify-Topic`.
    #[schemars(regex(pattern = r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$"))]
    pub header: String,
    /// The values of the header with which a webhook is accepted. All other webhooks get the status
    /// 204, and nothing is stored.
    #[schemars(length(min = 1, max = 100))]
    pub values: Vec<String>,
}

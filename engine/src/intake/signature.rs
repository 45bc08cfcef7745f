//! The signatures of webhooks. This module has no I/O: the caller passes the secrets and the time.
//!
//! A signature covers the bytes of the body as they were received, so it is verified before the body
//! is parsed. Signatures are compared in constant time.

use std::borrow::Cow;
use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use oms_core::value::Digest;
use sha2::Sha256;
use subtle::{Choice, ConstantTimeEq as _};

use crate::pipeline::{HmacAlgorithm, SignatureEncoding, VerifyScheme, VerifySection};

/// Maximum difference between the timestamp of a signature and the current time, in seconds.
const TOLERANCE_SECONDS: u64 = 300;
/// Maximum number of signatures in one header. Senders add a second one while they change a secret.
const SIGNATURES_MAX: usize = 16;
/// Maximum number of digits of a timestamp.
const TIMESTAMP_DIGITS_MAX: usize = 12;
/// The start of a secret of Standard Webhooks.
const STANDARD_SECRET: &str = "whsec_";
/// The body of WooCommerce's ping, before the number of the webhook.
const PING: &[u8] = b"webhook_id=";
/// Maximum number of digits in WooCommerce's ping.
const PING_DIGITS_MAX: usize = 20;

/// Returns the value of a header, or `None` if it is missing, repeated, or not visible ASCII.
pub type HeaderLookup<'h> = &'h dyn Fn(&str) -> Option<&'h str>;

/// Why a secret cannot be used. The message does not contain the secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSecret {
    /// It is empty.
    #[error("the secret is empty")]
    Empty,
    /// It is not base64, which Standard Webhooks requires.
    #[error("the secret is not base64, with or without `whsec_` before it")]
    Base64,
}

/// Verifies the signatures of webhooks.
pub struct SignatureVerifier {
    scheme: VerifyScheme,
    header: Cow<'static, str>,
    form: Form,
    keys: Vec<Hmac<Sha256>>,
}

/// How a header contains signatures.
enum Form {
    /// One signature of the body.
    Plain { encoding: SignatureEncoding, prefix: Cow<'static, str> },
    /// `t=TIMESTAMP,v1=HEX`, where the signature also covers the timestamp.
    Stripe,
    /// `v1,BASE64`, where the signature also covers the id and the timestamp in other headers.
    Standard,
}

/// The signatures of a request, and the bytes that they cover before the body.
struct Signatures {
    before: String,
    candidates: Vec<[u8; 32]>,
}

impl fmt::Debug for SignatureVerifier {
    /// Leaves out the secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SignatureVerifier");
        debug.field("scheme", &self.scheme).field("header", &self.header).finish_non_exhaustive()
    }
}

impl SignatureVerifier {
    /// Creates a verifier that accepts the signatures of any of these secrets.
    ///
    /// # Errors
    /// Returns the position of the first secret that cannot be used.
    pub fn new(
        section: &VerifySection,
        secrets: &[String],
    ) -> Result<Self, (usize, InvalidSecret)> {
        use SignatureEncoding::{Base64, Hex};
        let plain = |encoding, prefix| Form::Plain { encoding, prefix: Cow::Borrowed(prefix) };
        let (header, form) = match section.scheme {
            VerifyScheme::Shopify => ("X-Shopify-Hmac-SHA256", plain(Base64, "")),
            VerifyScheme::Woocommerce => ("X-WC-Webhook-Signature", plain(Base64, "")),
            VerifyScheme::Github => ("X-Hub-Signature-256", plain(Hex, "sha256=")),
            VerifyScheme::Stripe => ("Stripe-Signature", Form::Stripe),
            VerifyScheme::StandardWebhooks => ("webhook-signature", Form::Standard),
            VerifyScheme::Hmac => {
                let HmacAlgorithm::Sha256 = section.algorithm.unwrap_or_default();
                let encoding = section.encoding.unwrap_or(Hex);
                let prefix = Cow::Owned(section.prefix.clone().unwrap_or_default());
                ("", Form::Plain { encoding, prefix })
            }
        };
        let header = match &section.header {
            Some(header) => Cow::Owned(header.clone()),
            None => Cow::Borrowed(header),
        };
        let mut keys = Vec::with_capacity(secrets.len());
        for (position, secret) in secrets.iter().enumerate() {
            keys.push(key(section.scheme, secret).map_err(|error| (position, error))?);
        }
        Ok(Self { scheme: section.scheme, header, form, keys })
    }

    /// Returns the name of the header with the signature.
    pub fn header(&self) -> &str {
        &self.header
    }

    /// Returns whether the headers contain a signature that has the right form and is not too old.
    /// It may still be wrong.
    pub fn has_signature(&self, headers: HeaderLookup<'_>, now: Timestamp) -> bool {
        self.signatures(headers, now).is_some()
    }

    /// Returns whether a request has a valid signature of its body.
    pub fn verify(&self, headers: HeaderLookup<'_>, body: &[u8], now: Timestamp) -> bool {
        let Some(signatures) = self.signatures(headers, now) else { return false };
        let mut is_valid = Choice::from(0);
        for key in &self.keys {
            let mut mac = key.clone();
            mac.update(signatures.before.as_bytes());
            mac.update(body);
            let expected = mac.finalize().into_bytes();
            for candidate in &signatures.candidates {
                is_valid |= expected.as_slice().ct_eq(candidate);
            }
        }
        is_valid.into()
    }

    /// Returns whether a request without a signature can be WooCommerce's ping, as far as its
    /// headers tell.
    pub fn may_be_ping(&self, headers: HeaderLookup<'_>) -> bool {
        let kind = headers("content-type").unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        self.scheme == VerifyScheme::Woocommerce
            && headers(&self.header).is_none()
            && kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
    }

    /// Returns whether a body is that of WooCommerce's ping: `webhook_id=N`.
    pub fn is_ping(body: &[u8]) -> bool {
        body.strip_prefix(PING).is_some_and(|number| {
            (1..=PING_DIGITS_MAX).contains(&number.len()) && number.iter().all(u8::is_ascii_digit)
        })
    }

    /// Reads the signatures from the headers. Returns `None` if a signature is missing or too old.
    fn signatures(&self, headers: HeaderLookup<'_>, now: Timestamp) -> Option<Signatures> {
        let header = headers(&self.header)?;
        let signatures = match &self.form {
            Form::Plain { encoding, prefix } => {
                let signature = header.strip_prefix(&**prefix)?;
                let candidates = decoded(*encoding, signature).into_iter().collect();
                Signatures { before: String::new(), candidates }
            }
            Form::Stripe => stripe(header, now)?,
            Form::Standard => standard(header, headers, now)?,
        };
        (!signatures.candidates.is_empty()).then_some(signatures)
    }
}

/// Returns the key of a secret.
fn key(scheme: VerifyScheme, secret: &str) -> Result<Hmac<Sha256>, InvalidSecret> {
    let bytes = match scheme {
        VerifyScheme::StandardWebhooks => {
            let secret = secret.strip_prefix(STANDARD_SECRET).unwrap_or(secret);
            Cow::Owned(BASE64_STANDARD.decode(secret).map_err(|_| InvalidSecret::Base64)?)
        }
        _ => Cow::Borrowed(secret.as_bytes()),
    };
    if bytes.is_empty() {
        return Err(InvalidSecret::Empty);
    }
    // A key can have any length, so this cannot fail.
    Hmac::new_from_slice(&bytes).map_err(|_| InvalidSecret::Empty)
}

fn decoded(encoding: SignatureEncoding, text: &str) -> Option<[u8; 32]> {
    match encoding {
        SignatureEncoding::Base64 => BASE64_STANDARD.decode(text).ok()?.try_into().ok(),
        SignatureEncoding::Hex => Digest::parse(text).map(|digest| *digest.bytes()),
    }
}

/// Returns whether a timestamp, in seconds since 1970, is close to the current time.
fn is_recent(timestamp: &str, now: Timestamp) -> bool {
    let is_number = timestamp.len() <= TIMESTAMP_DIGITS_MAX
        && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = timestamp.parse::<i64>().ok().filter(|_| is_number);
    seconds.is_some_and(|seconds| now.as_second().abs_diff(seconds) <= TOLERANCE_SECONDS)
}

/// Reads Stripe's header: `t=TIMESTAMP,v1=HEX`, with one `v1` for each valid secret.
fn stripe(header: &str, now: Timestamp) -> Option<Signatures> {
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let mut timestamps = parts().filter(|(name, _)| *name == "t").map(|(_, value)| value);
    let timestamp = timestamps.next().filter(|timestamp| is_recent(timestamp, now))?;
    if timestamps.next().is_some() {
        return None;
    }
    let signatures = parts().filter(|(name, _)| *name == "v1").take(SIGNATURES_MAX);
    let candidates =
        signatures.filter_map(|(_, value)| decoded(SignatureEncoding::Hex, value)).collect();
    Some(Signatures { before: format!("{timestamp}."), candidates })
}

/// Reads the headers of Standard Webhooks: `v1,BASE64` for each valid secret, separated by spaces.
fn standard(header: &str, headers: HeaderLookup<'_>, now: Timestamp) -> Option<Signatures> {
    let id = headers("webhook-id").filter(|id| !id.is_empty())?;
    let timestamp = headers("webhook-timestamp").filter(|timestamp| is_recent(timestamp, now))?;
    let signatures = header.split(' ').filter_map(|part| part.strip_prefix("v1,"));
    let signatures = signatures.take(SIGNATURES_MAX);
    let candidates =
        signatures.filter_map(|value| decoded(SignatureEncoding::Base64, value)).collect();
    Some(Signatures { before: format!("{id}.{timestamp}."), candidates })
}

#[cfg(test)]
mod tests;

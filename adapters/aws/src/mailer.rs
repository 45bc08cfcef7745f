//! E-mail through SES. The message consists of the exact bytes that the engine produced.
//!
//! SES has no idempotency token, so each e-mail is first claimed in the database. The client makes
//! a single attempt. If its result is lost, the outcome of the e-mail is unknown.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::error::SdkError;
use aws_sdk_sesv2::primitives::Blob;
use aws_sdk_sesv2::types::{EmailContent, MessageTag, RawMessage};
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use oms_core::effects::{Call, Class, Io, Mailer, Random, StepError, cause};
use oms_core::mail::Mail;
use oms_sql::{Claim, Claims};

use crate::failure::classify;
use crate::session::Session;

/// The lease of a claim. It is longer than an attempt can take, including the database calls before
/// and after the attempt.
const LEASE: Duration = Duration::from_secs(120);

/// The tags of an e-mail with the idempotency key of the step and with the id of the attempt.
const KEY_TAG: &str = "oms-key";
const ATTEMPT_TAG: &str = "oms-attempt";

/// Initial and maximum delay between attempts to record the result: about 6 seconds in total.
const RECORD_WAIT: Duration = Duration::from_millis(100);
const RECORD_WAIT_MAX: Duration = Duration::from_millis(3_200);

/// A mailer that uses Amazon SES.
pub struct SesMailer<R> {
    client: Client,
    claims: Claims,
    configuration_set: Option<String>,
    random: R,
}

impl<R: Random> SesMailer<R> {
    /// Returns a mailer that stores its claims in a database.
    pub fn new(
        session: &Session,
        claims: Claims,
        configuration_set: Option<String>,
        random: R,
    ) -> Self {
        let once = aws_sdk_sesv2::config::Builder::from(&session.0)
            .retry_config(RetryConfig::disabled())
            .build();
        Self { client: Client::from_conf(once), claims, configuration_set, random }
    }

    async fn deliver(&self, call: &Call, mail: &Mail) -> Result<(), StepError> {
        // Until the request to SES, it is certain that no e-mail was sent.
        call.outcome_unknown.clear();
        let build_error = |error| {
            StepError::permanent(cause::OUT_OF_RANGE, "cannot build the e-mail").caused_by(error)
        };
        let message = mail.to_rfc5322().map_err(build_error)?;
        let attempt = format!("{:016x}{:016x}", self.random.next(), self.random.next());
        match self.claims.claim(call, &attempt, LEASE, call.may_resend).await? {
            Claim::Mine => {}
            Claim::Done => return Ok(()),
            Claim::Later(wait) => {
                let message = "the sending rate is reached; the e-mail is sent at its time slot";
                return Err(StepError::postponed(cause::UNAVAILABLE, message, wait));
            }
            Claim::Busy(wait) => {
                let message = "another attempt to send this e-mail is in progress";
                return Err(StepError::postponed(cause::UNAVAILABLE, message, wait));
            }
            Claim::Unknown => {
                let message = "an earlier attempt to send this e-mail ended without a result";
                return Err(StepError::unknown(message));
            }
        }
        call.outcome_unknown.set();
        let sent = self.send_raw(call, &attempt, mail, message).await;
        match sent {
            Ok(provider) => self.record_sent(call, &attempt, &provider).await,
            Err(error) if error.class() == Class::Unknown => Err(error),
            Err(error) => {
                call.outcome_unknown.clear();
                match self.claims.free(call, &attempt).await {
                    Ok(()) => Err(error),
                    // The lease must then expire before another attempt can start, and the outcome
                    // will be unknown.
                    Err(free_error) => Err(error.caused_by(free_error)),
                }
            }
        }
    }

    /// Records that an e-mail was sent. If that fails, the run is parked with the provider's id in
    /// the reason. An automatic retry would find an expired claim, and might send the e-mail again.
    async fn record_sent(
        &self,
        call: &Call,
        attempt: &str,
        provider: &str,
    ) -> Result<(), StepError> {
        let mut wait = RECORD_WAIT;
        loop {
            let error = match self.claims.done(call, attempt, provider).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            if wait > RECORD_WAIT_MAX {
                let message = format!(
                    "SES accepted the e-mail as `{provider}`, but the result could not be recorded"
                );
                return Err(StepError::permanent(cause::UNKNOWN_OUTCOME, message).caused_by(error));
            }
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
    }

    async fn send_raw(
        &self,
        call: &Call,
        attempt: &str,
        mail: &Mail,
        message: Vec<u8>,
    ) -> Result<String, StepError> {
        let invalid = |error| {
            StepError::permanent(cause::OUT_OF_RANGE, "cannot build the e-mail").caused_by(error)
        };
        let raw = RawMessage::builder().data(Blob::new(message)).build().map_err(invalid)?;
        // SES replaces Message-ID and Date. The tags identify the attempt in the events of SES.
        let tag = |name, value: &str| MessageTag::builder().name(name).value(value).build();
        let key = tag(KEY_TAG, &call.key).map_err(invalid)?;
        let attempt = tag(ATTEMPT_TAG, attempt).map_err(invalid)?;
        let sent = self
            .client
            .send_email()
            // SES checks the permission to send by this identity.
            .from_email_address(&mail.from.address)
            .set_configuration_set_name(self.configuration_set.clone())
            .content(EmailContent::builder().raw(raw).build())
            .email_tags(key)
            .email_tags(attempt)
            .send()
            .await;
        let error = match sent {
            Ok(answer) => return Ok(answer.message_id.unwrap_or_default()),
            Err(error) => error,
        };
        let status = error.raw_response().map(|response| response.status().as_u16());
        let throttled = status == Some(429)
            || error.code().is_some_and(|code| {
                matches!(
                    code,
                    "TooManyRequestsException" | "ThrottlingException" | "LimitExceededException"
                )
            });
        Err(match &error {
            _ if throttled => StepError::transient(cause::UNAVAILABLE, "SES throttled the request"),
            // The request was never sent.
            SdkError::DispatchFailure(failure)
                if failure.as_connector_error().is_some_and(|error| error.is_user()) =>
            {
                classify("SES", error)
            }
            SdkError::ConstructionFailure(_) => classify("SES", error),
            SdkError::ServiceError(_) if status.is_some_and(|status| status < 500) => {
                classify("SES", error)
            }
            _ => StepError::unknown("SES did not confirm that it accepted the e-mail"),
        })
    }
}

impl<R: Random> Mailer for SesMailer<R> {
    fn send<'a>(&'a self, call: &'a Call, mail: Mail) -> Io<'a, ()> {
        Box::pin(async move { self.deliver(call, &mail).await })
    }
}

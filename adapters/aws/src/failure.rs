//! Classifies errors of the SDK. The service's message is omitted, because it may contain values of
//! an order.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use oms_core::effects::{StepError, cause};

/// Exceptions after which a retry may succeed ("Error retries and exponential backoff", AWS General
/// Reference).
const RETRYABLE: &[&str] = &[
    "InternalError",
    "InternalFailure",
    "OperationAborted",
    "RequestLimitExceeded",
    "RequestTimeout",
    "ServiceUnavailable",
    "SlowDown",
    "Throttled",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
];

/// Exceptions whose cause an operator has to fix: permissions, resource names, accounts.
const ENVIRONMENT: &[&str] = &[
    "AccessDenied",
    "AccessDeniedException",
    "AccountSuspendedException",
    "AuthorizationError",
    "DatabaseNotFoundException",
    "ExpiredToken",
    "ExpiredTokenException",
    "ForbiddenException",
    "HttpEndpointNotEnabledException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidSecretException",
    "MailFromDomainNotVerifiedException",
    "NoSuchBucket",
    "NotFound",
    "NotFoundException",
    "SecretsErrorException",
    "SendingPausedException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
];

/// Classifies an error of the service `service`. It must be safe to repeat the failed call.
pub(crate) fn classify<E>(service: &str, error: SdkError<E, HttpResponse>) -> StepError
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(ProvideErrorMetadata::code).map(str::to_owned);
    let transient = |what: &str| StepError::transient(cause::UNAVAILABLE, what);
    let classify = match (&error, code.as_deref()) {
        (SdkError::TimeoutError(_) | SdkError::DispatchFailure(_), _) => {
            transient(&format!("{service} does not respond"))
        }
        (_, Some(code)) if ENVIRONMENT.contains(&code) => StepError::transient(
            cause::ENVIRONMENT,
            format!("{service} returned `{code}`: a permission or a resource is missing"),
        ),
        (_, Some(code)) if RETRYABLE.contains(&code) => {
            transient(&format!("{service} returned `{code}`"))
        }
        _ if status.is_none_or(|status| status == 429 || status >= 500) => {
            transient(&format!("{service} failed"))
        }
        (SdkError::ConstructionFailure(_), _) => StepError::permanent(
            cause::OUT_OF_RANGE,
            format!("the request to {service} is invalid"),
        ),
        (_, code) => StepError::permanent(
            cause::REFUSED,
            format!("{service} rejected the request: `{}`", code.unwrap_or("no reason given")),
        ),
    };
    // Keeps the code and the status, without the message.
    classify.caused_by(Reason(code, status))
}

/// The kept part of a service's error.
#[derive(Debug, thiserror::Error)]
#[error("exception {0:?}, HTTP status {1:?}")]
struct Reason(Option<String>, Option<u16>);

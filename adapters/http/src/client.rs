//! The HTTP client of a service.

use std::sync::Arc;
use std::time::Duration;

use oms_core::effects::{Answer, CallError, CallErrorKind, Method, ServiceRequest};
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue,
    InvalidHeaderName, InvalidHeaderValue,
};
use reqwest::redirect::Policy;
use tokio::time::timeout;

use crate::error::call_error;
use crate::retry_after::retry_after;
use crate::services::ServiceConfig;

/// Maximum duration of connecting, including the TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long an idle connection is kept. It is shorter than the idle timeout of common servers and
/// load balancers, so that requests rarely meet a connection that the server is closing.
const IDLE_TIMEOUT: Duration = Duration::from_secs(15);
/// Maximum size of the headers of an answer in bytes, for HTTP/2. HTTP/1.1 has a similar limit.
const HEADERS_MAX: u32 = 64 * 1024;
/// Maximum size of a body that is read only to keep the connection.
const DRAIN_MAX: usize = 64 * 1024;

/// Why a service cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The client cannot be created, for example because there are no trusted certificates.
    #[error("cannot create an HTTP client")]
    Client(#[source] reqwest::Error),
    /// The name of a header is invalid.
    #[error("invalid header name")]
    HeaderName(#[from] InvalidHeaderName),
    /// The value of a header is invalid. It is not shown, because it may be secret.
    #[error("the value of the header is not visible ASCII text")]
    HeaderValue(#[from] InvalidHeaderValue),
}

/// A client of one service.
pub(crate) struct Client {
    client: reqwest::Client,
    base_url: String,
    timeout: Duration,
    idempotency_header: Option<HeaderName>,
}

impl Client {
    pub(crate) fn new(config: ServiceConfig) -> Result<Self, ClientError> {
        let mut headers = HeaderMap::new();
        // Answers of any media type are accepted, but not compressed ones: a small compressed body
        // can be huge.
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, */*;q=0.5"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        for (name, value) in config.headers {
            headers.insert(HeaderName::try_from(name)?, HeaderValue::try_from(value)?);
        }
        if let Some((name, value)) = config.credentials {
            let mut value = HeaderValue::try_from(value)?;
            value.set_sensitive(true);
            headers.insert(HeaderName::try_from(name)?, value);
        }
        let client = reqwest::Client::builder()
            .default_headers(headers)
            .user_agent(concat!("oms/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT.min(config.timeout))
            .pool_idle_timeout(IDLE_TIMEOUT)
            .http2_max_header_list_size(HEADERS_MAX)
            .build()
            .map_err(ClientError::Client)?;
        let idempotency_header = config.idempotency_header.map(HeaderName::try_from).transpose()?;
        let (base_url, timeout) = (config.base_url, config.timeout);
        Ok(Self { client, base_url, timeout, idempotency_header })
    }

    /// Sends a request and reads the answer, within the timeout of the service.
    pub(crate) async fn send(&self, request: ServiceRequest) -> Result<Answer, CallError> {
        match timeout(self.timeout, self.exchange(request)).await {
            Ok(ended) => ended,
            Err(_) => {
                let kind = CallErrorKind::TimedOut;
                let millis = self.timeout.as_millis();
                let message = format!("no complete answer within {millis} ms");
                Err(CallError { kind, message })
            }
        }
    }

    async fn exchange(&self, request: ServiceRequest) -> Result<Answer, CallError> {
        let url = format!("{}{}", self.base_url, request.target);
        let mut builder = self.client.request(method(request.method), url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let (Some(header), Some(key)) = (&self.idempotency_header, &request.key) {
            builder = builder.header(header, key.as_ref());
        }
        if let Some((media, bytes)) = request.body {
            builder = builder.header(CONTENT_TYPE, media).body(bytes.to_vec());
        }
        let answer = builder.send().await.map_err(|error| call_error(&error))?;
        let (status, retry_after) = (answer.status().as_u16(), retry_after(answer.headers()));
        let is_success = answer.status().is_success();
        let body = match is_success && request.answer_max > 0 {
            true => read(answer, request.answer_max).await?,
            false => {
                drain(answer).await;
                Vec::new()
            }
        };
        Ok(Answer { status, body: Arc::from(body), retry_after })
    }
}

const fn method(method: Method) -> reqwest::Method {
    match method {
        Method::Get => reqwest::Method::GET,
        Method::Head => reqwest::Method::HEAD,
        Method::Options => reqwest::Method::OPTIONS,
        Method::Put => reqwest::Method::PUT,
        Method::Delete => reqwest::Method::DELETE,
        Method::Post => reqwest::Method::POST,
        Method::Patch => reqwest::Method::PATCH,
    }
}

/// Reads a body of at most `max` bytes.
async fn read(mut answer: reqwest::Response, max: usize) -> Result<Vec<u8>, CallError> {
    let status = answer.status().as_u16();
    let unreadable = |why: String| {
        let message = format!("the service answered {status}, but {why}");
        CallError { kind: CallErrorKind::Unreadable(status), message }
    };
    if let Some(encoding) = answer.headers().get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(unreadable(
            "the body is compressed, which the request does not accept".to_owned(),
        ));
    }
    let too_large = || unreadable(format!("the body is larger than {max} bytes"));
    let announced = answer.content_length().unwrap_or(0);
    if announced > max as u64 {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(|error| call_error(&error))? {
        if body.len() + chunk.len() > max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Reads a small body and discards it, so that the connection can be used again.
async fn drain(mut answer: reqwest::Response) {
    let mut left = DRAIN_MAX;
    while let Ok(Some(chunk)) = answer.chunk().await {
        match left.checked_sub(chunk.len()) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

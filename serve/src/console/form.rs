//! Forms of the console. The session is checked before the body is read, and the body is limited in size and time.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HeaderMap};
use axum::response::Response;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::page::Page;
use super::visit::Visit;
use crate::http::body::receive;
use crate::state::site::Site;

/// Maximum size of a form in bytes. The longest field is the search text of a customer search.
const BYTES_MAX: usize = 16 << 10;

/// A form that was sent from a page of its session.
pub(crate) struct SubmittedForm<T> {
    pub(crate) visit: Visit,
    pub(crate) form: T,
}

/// A form without fields.
#[derive(Deserialize)]
pub(crate) struct EmptyForm {}

/// A form with the CSRF token of its session.
#[derive(Deserialize)]
struct WithCsrf<T> {
    #[serde(default)]
    csrf: String,
    #[serde(flatten)]
    form: T,
}

impl<T: DeserializeOwned> FromRequest<Arc<Site>> for SubmittedForm<T> {
    type Rejection = Response;

    async fn from_request(request: Request, site: &Arc<Site>) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let mut visit = Visit::of_form(&mut parts, site).await?;
        if !is_form(&parts.headers) {
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(Page::error(status, "Unsupported form", "").render(&mut visit));
        }
        let (bytes, _memory) = match receive(&site.body_memory, body, BYTES_MAX).await {
            Ok(received) => received,
            Err(reply) => {
                let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::BAD_REQUEST);
                let message = "The form could not be received";
                return Err(Page::error(status, message, "").render(&mut visit));
            }
        };
        match serde_urlencoded::from_bytes::<WithCsrf<T>>(&bytes) {
            Ok(WithCsrf { csrf, form }) if visit.has_csrf_token(&csrf) => Ok(Self { visit, form }),
            Ok(_) => Err(visit.reject_form()),
            Err(_) => {
                let message = "Invalid form";
                Err(Page::error(StatusCode::UNPROCESSABLE_ENTITY, message, "").render(&mut visit))
            }
        }
    }
}

/// Returns whether the content type is that of a form (WHATWG URL, application/x-www-form-urlencoded).
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

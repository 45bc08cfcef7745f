//! Forms of the console. The session is checked before the body is read, and the body is limited in
//! size and time.

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

/// Returns whether the content type is that of a form (WHATWG URL,
/// application/x-www-form-urlencoded).
fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Cause {
        cause: String,
    }

    fn decode<T: DeserializeOwned>(text: &str) -> Option<(String, T)> {
        let form = serde_urlencoded::from_bytes::<WithCsrf<T>>(text.as_bytes()).ok()?;
        Some((form.csrf, form.form))
    }

    #[test]
    fn a_form_has_its_fields_and_the_csrf_token() {
        let cause = || Cause { cause: "no_rate,timeout é".to_owned() };
        let text = "csrf=1&cause=no_rate%2Ctimeout+%C3%A9";
        assert_eq!(decode(text), Some(("1".to_owned(), cause())));
        assert_eq!(decode("cause=no_rate%2Ctimeout+%C3%A9"), Some((String::new(), cause())));
        assert!(decode::<EmptyForm>("csrf=1&other=2").is_some());
    }

    #[test]
    fn a_form_with_a_missing_or_repeated_field_is_invalid() {
        for text in ["", "csrf=1", "csrf=1&cause=a&cause=b", "csrf=1&csrf=2&cause=a"] {
            assert_eq!(decode::<Cause>(text), None, "{text}");
        }
    }

    #[test]
    fn only_the_content_type_of_forms_is_accepted() {
        let of =
            |kind| is_form(&HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(kind))]));
        assert!(of("application/x-www-form-urlencoded"));
        assert!(of("Application/X-WWW-Form-Urlencoded; charset=utf-8"));
        assert!(!of("multipart/form-data; boundary=x") && !of("text/plain"));
        assert!(!is_form(&HeaderMap::new()));
    }
}

//! Access to the pages: finds the session of a request and checks its permission.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::header::{HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use oms_sqlite::Scope;
use serde_json::Value as Json;
use subtle::ConstantTimeEq as _;
use tokio::sync::OwnedSemaphorePermit;

use super::page::{Page, reload_page};
use crate::http::origin::{is_same_origin, require_this_machine};
use crate::http::reply::respond;
use crate::state::flow::Flow;
use crate::state::notice::Notice;
use crate::state::sessions::{Session, Token};
use crate::state::site::Site;

/// Maximum length of a URL to which the login returns.
const PATH_MAX: usize = 2_048;

/// A request for a page.
pub(crate) struct Visit {
    pub(crate) site: Arc<Site>,
    /// The index of the pipeline, if the page belongs to one.
    pub(crate) index: Option<usize>,
    /// The name of the session's API key.
    pub(crate) who: String,
    pub(crate) logged_in: bool,
    pub(crate) csrf: String,
    pub(crate) notice: Option<Notice>,
    pub(crate) token: Token,
    /// Whether the browser does not have the session's cookie yet.
    is_new: bool,
    /// The permit to render a page.
    permit: Option<OwnedSemaphorePermit>,
}

impl Visit {
    /// Admits a visitor to the pages of a pipeline, or to the login page (`None`). `requested_path`
    /// is the page to which the login returns.
    pub(super) fn enter(
        site: &Arc<Site>,
        pipeline: Option<&str>,
        headers: &HeaderMap,
        requested_path: Option<String>,
    ) -> Result<Self, Box<Response>> {
        let named = |flow: &Flow| Some(&**flow.plan().name()) == pipeline;
        let index = site.flows.iter().position(named);
        let (token, is_new) = match site.sessions.token(headers) {
            Some(token) if site.sessions.is_active(&token) => (token, false),
            // Browsers omit the cookie if a page of another site leads here. A new cookie would
            // replace the existing session.
            _ if !is_same_origin(headers) => return Err(Box::new(reload_page())),
            given => {
                let stored = given.map(|token| site.stored_session(&token).map(|key| (token, key)));
                let stored = stored.transpose().map_err(|_| Box::new(unavailable()))?;
                match stored {
                    Some((token, Some(key))) if site.sessions.restore(&token, &key) => {
                        (token, false)
                    }
                    // The server does not accept a token that the client chose.
                    _ => {
                        let token = Token::new().ok_or_else(|| Box::new(unavailable()))?;
                        site.sessions.begin(&token, None);
                        (token, true)
                    }
                }
            }
        };
        let take = |session: &mut Session| (session.key.clone(), session.notice.take());
        let (key, notice) = site.sessions.with(&token, take).unwrap_or_default();
        let who = key.as_ref().map(|key| key.name.clone()).unwrap_or_default();
        let (logged_in, csrf) = (key.is_some(), token.csrf());
        let site = Arc::clone(site);
        let mut visit =
            Self { site, index, who, logged_in, csrf, notice, token, is_new, permit: None };
        if pipeline.is_none() {
            return Ok(visit);
        }
        let Some(flow) = visit.flow() else {
            let message = "This pipeline does not exist";
            return Err(Box::new(
                Page::error(StatusCode::NOT_FOUND, message, "").render(&mut visit),
            ));
        };
        let keys = flow.keys.current().map_err(|_| Box::new(unavailable()))?;
        if visit.site.loopback && !keys.ever_existed() {
            return match require_this_machine(headers) {
                Ok(()) => Ok(visit),
                Err(refused) => Err(Box::new(respond(&refused))),
            };
        }
        if key.is_some_and(|key| keys.admits(&key.id, Scope::Admin)) {
            return Ok(visit);
        }
        if requested_path.is_some() {
            visit.session(|session| session.requested_path = requested_path);
        }
        Err(Box::new(visit.with_cookie(redirect("/console/login"))))
    }

    /// Admits the sender of a form on a page of an existing session.
    pub(crate) async fn of_form(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        if !is_same_origin(&parts.headers) {
            let message = "This form was sent from another site";
            return Err(Page::error(StatusCode::FORBIDDEN, message, "").render_without_session());
        }
        let mut visit = Self::from_request_parts(parts, site).await?;
        if visit.is_new { Err(visit.reject_form()) } else { Ok(visit) }
    }

    /// Returns whether a form has the CSRF token of the session.
    pub(crate) fn has_csrf_token(&self, csrf: &str) -> bool {
        self.csrf.as_bytes().ct_eq(csrf.as_bytes()).into()
    }

    /// Returns the error page for a form that does not belong to the session.
    pub(crate) fn reject_form(&mut self) -> Response {
        let message = "This form does not belong to your session";
        let help = "Open the page again and repeat the action.";
        Page::error(StatusCode::FORBIDDEN, message, help).render(self)
    }

    /// Returns the path of the pipeline's pages, without a trailing slash.
    pub(crate) fn base(&self) -> String {
        let name = self.flow().map(|flow| flow.plan().name().to_string());
        format!("/console/{}", name.unwrap_or_default())
    }

    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.index.and_then(|index| self.site.flows.get(index))
    }

    /// Reads the data for a page of the pipeline.
    pub(crate) fn read(
        &self,
        read: impl FnOnce(&Flow) -> Result<Json, oms_sqlite::Error>,
    ) -> Result<Json, oms_sqlite::Error> {
        self.flow().map_or(Ok(Json::Null), read)
    }

    /// Calls a function with the session.
    pub(crate) fn session<T>(&self, work: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.site.sessions.with(&self.token, work)
    }

    /// Adds the session's cookie to a response if the session is new.
    pub(crate) fn with_cookie(&self, mut response: Response) -> Response {
        let cookie = self.site.sessions.cookie(&self.token, self.site.uses_tls);
        if let (true, Ok(cookie)) = (self.is_new, HeaderValue::from_str(&cookie)) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// Waits for a permit to render a page. The visit holds it until it ends.
    pub(crate) async fn wait_for_permit(&mut self) {
        self.permit = Arc::clone(&self.site.page_permits).acquire_owned().await.ok();
    }

    /// Redirects to another page, which shows the notice.
    pub(crate) fn redirect_with(&self, path: &str, notice: Notice) -> Response {
        self.session(|session| session.notice = Some(notice));
        self.with_cookie(redirect(path))
    }
}

/// Handlers take a `Visit` as an argument, so they run only for visitors who may see the page.
impl FromRequestParts<Arc<Site>> for Visit {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        site: &Arc<Site>,
    ) -> Result<Self, Self::Rejection> {
        let named = RawPathParams::from_request_parts(parts, site).await;
        let named = named.map_err(|_| {
            let message = "Invalid address";
            Page::error(StatusCode::BAD_REQUEST, message, "Check the address.")
                .render_without_session()
        })?;
        let pipeline = named.iter().find(|(name, _)| *name == "pipeline").map(|(_, value)| value);
        let requested_path = requested_path(parts);
        let mut visit = Self::enter(site, pipeline, &parts.headers, requested_path)
            .map_err(|refused| *refused)?;
        // A form may wait for a run. It takes a permit only when it renders a list.
        if matches!(parts.method, Method::GET | Method::HEAD) {
            visit.wait_for_permit().await;
        }
        Ok(visit)
    }
}

/// Returns the requested path and query, if the request is for a page and not for a form or a page
/// fragment.
fn requested_path(parts: &Parts) -> Option<String> {
    let kind = parts.headers.get("sec-fetch-dest");
    let is_page = kind.is_none_or(|kind| kind == "document")
        && parts.method == Method::GET
        && !parts.uri.path().ends_with("/live");
    let address = parts.uri.path_and_query().map(PathAndQuery::as_str)?;
    (is_page && address.len() <= PATH_MAX).then(|| address.to_owned())
}

/// Returns the error page for a state that cannot be read.
pub(super) fn unavailable() -> Response {
    let message = "The state of the pipeline cannot be read";
    Page::error(StatusCode::SERVICE_UNAVAILABLE, message, "Try again in a moment.")
        .render_without_session()
}

/// Redirects to another page (RFC 9110, 15.4.4).
pub(crate) fn redirect(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/console/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

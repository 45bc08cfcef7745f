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

use super::pages::{Page, again};
use crate::http::auth::{from_this_machine, is_from_here};
use crate::http::reply::respond;
use crate::state::flow::Flow;
use crate::state::sessions::{Notice, Session, Token};
use crate::state::site::Site;

/// Maximum length of a URL to which the login returns.
const WANTED_MAX: usize = 2_048;

/// A request for a page.
pub(crate) struct Visit {
    pub(crate) site: Arc<Site>,
    /// The index of the pipeline, if the page belongs to one.
    pub(crate) at: Option<usize>,
    /// The name of the session's API key.
    pub(crate) who: String,
    pub(crate) logged_in: bool,
    pub(crate) csrf: String,
    pub(crate) notice: Option<Notice>,
    pub(crate) token: Token,
    /// Whether the browser does not have the session's cookie yet.
    new: bool,
    /// The permit to render a page.
    turn: Option<OwnedSemaphorePermit>,
}

impl Visit {
    /// Admits a visitor to the pages of a pipeline, or to the login page (`None`). `wanted` is the page to which the login returns.
    pub(super) fn enter(
        site: &Arc<Site>,
        pipeline: Option<&str>,
        headers: &HeaderMap,
        wanted: Option<String>,
    ) -> Result<Self, Box<Response>> {
        let named = |flow: &Flow| Some(&**flow.plan().name()) == pipeline;
        let at = site.flows.iter().position(named);
        let (token, new) = match site.sessions.token(headers) {
            Some(token) if site.sessions.knows(&token) => (token, false),
            // Browsers omit the cookie if a page of another site leads here. A new cookie would replace the existing session.
            _ if !is_from_here(headers) => return Err(Box::new(again())),
            given => {
                let kept = given.map(|token| site.kept_session(&token).map(|key| (token, key)));
                let kept = kept.transpose().map_err(|_| Box::new(unavailable()))?;
                match kept {
                    Some((token, Some(key))) if site.sessions.check(&token, &key) => (token, false),
                    // The server does not accept a token that the client chose.
                    _ => {
                        let token = Token::new().ok_or_else(|| Box::new(unavailable()))?;
                        site.sessions.begin(&token, None);
                        (token, true)
                    }
                }
            }
        };
        let taken = |session: &mut Session| (session.key.clone(), session.notice.take());
        let (key, notice) = site.sessions.with(&token, taken).unwrap_or_default();
        let who = key.as_ref().map(|key| key.name.clone()).unwrap_or_default();
        let (logged_in, csrf) = (key.is_some(), token.csrf());
        let site = Arc::clone(site);
        let mut visit = Self { site, at, who, logged_in, csrf, notice, token, new, turn: None };
        if pipeline.is_none() {
            return Ok(visit);
        }
        let Some(flow) = visit.flow() else {
            let message = "This pipeline does not exist";
            return Err(Box::new(Page::error(StatusCode::NOT_FOUND, message, "").of(&mut visit)));
        };
        let keys = flow.keys.current().map_err(|_| Box::new(unavailable()))?;
        if visit.site.loopback && !keys.were_made() {
            return match from_this_machine(headers) {
                Ok(()) => Ok(visit),
                Err(refused) => Err(Box::new(respond(&refused))),
            };
        }
        if key.is_some_and(|key| keys.admits(&key.id, Scope::Admin)) {
            return Ok(visit);
        }
        if wanted.is_some() {
            visit.session(|session| session.wanted = wanted);
        }
        Err(Box::new(visit.with_cookie(to("/console/login"))))
    }

    /// Admits the sender of a form on a page of an existing session.
    pub(crate) async fn of_sender(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        if !is_from_here(&parts.headers) {
            let message = "This form was sent from another site";
            return Err(Page::error(StatusCode::FORBIDDEN, message, "").bare());
        }
        let mut visit = Self::from_request_parts(parts, site).await?;
        if visit.new { Err(visit.foreign()) } else { Ok(visit) }
    }

    /// Returns whether a form has the CSRF token of the session.
    pub(crate) fn has_signed(&self, csrf: &str) -> bool {
        self.csrf.as_bytes().ct_eq(csrf.as_bytes()).into()
    }

    /// Returns the error page for a form that does not belong to the session.
    pub(crate) fn foreign(&mut self) -> Response {
        let message = "This form does not belong to your session";
        let help = "Open the page again and repeat the action.";
        Page::error(StatusCode::FORBIDDEN, message, help).of(self)
    }

    /// Returns the path of the pipeline's pages, without a trailing slash.
    pub(crate) fn base(&self) -> String {
        let name = self.flow().map(|flow| flow.plan().name().to_string());
        format!("/console/{}", name.unwrap_or_default())
    }

    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.at.and_then(|at| self.site.flows.get(at))
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
        let cookie = self.site.sessions.cookie(&self.token, self.site.private);
        if let (true, Ok(cookie)) = (self.new, HeaderValue::from_str(&cookie)) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// Waits for a permit to render a page. The visit holds it until it ends.
    pub(crate) async fn take_turn(&mut self) {
        self.turn = Arc::clone(&self.site.pages).acquire_owned().await.ok();
    }

    /// Redirects to another page, which shows the notice.
    pub(crate) fn lead(&self, path: &str, notice: Notice) -> Response {
        self.session(|session| session.notice = Some(notice));
        self.with_cookie(to(path))
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
            Page::error(StatusCode::BAD_REQUEST, message, "Check the address.").bare()
        })?;
        let pipeline = named.iter().find(|(name, _)| *name == "pipeline").map(|(_, value)| value);
        let wanted = wanted(parts);
        let mut visit =
            Self::enter(site, pipeline, &parts.headers, wanted).map_err(|refused| *refused)?;
        // A form may wait for a run. It takes a permit only when it renders a list.
        if matches!(parts.method, Method::GET | Method::HEAD) {
            visit.take_turn().await;
        }
        Ok(visit)
    }
}

/// Returns the requested path and query, if the request is for a page and not for a form or a page fragment.
fn wanted(parts: &Parts) -> Option<String> {
    let kind = parts.headers.get("sec-fetch-dest");
    let is_page = kind.is_none_or(|kind| kind == "document")
        && parts.method == Method::GET
        && !parts.uri.path().ends_with("/live");
    let address = parts.uri.path_and_query().map(PathAndQuery::as_str)?;
    (is_page && address.len() <= WANTED_MAX).then(|| address.to_owned())
}

/// Returns the error page for a state that cannot be read.
pub(super) fn unavailable() -> Response {
    let message = "The state of the pipeline cannot be read";
    Page::error(StatusCode::SERVICE_UNAVAILABLE, message, "Try again in a moment.").bare()
}

/// Redirects to another page (RFC 9110, 15.4.4).
pub(crate) fn to(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/console/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

//! Who visits a page, and whether they may.

use std::sync::Arc;

use axum::extract::{FromRequestParts, RawPathParams};
use axum::http::StatusCode;
use axum::http::header::{HeaderMap, HeaderValue, LOCATION, SET_COOKIE};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use oms_local::Scope;
use serde_json::Value as Json;
use subtle::ConstantTimeEq as _;

use super::pages::{Page, again};
use super::session::{Session, Token};
use crate::auth::is_from_here;
use crate::flow::Flow;
use crate::reply::{plain, respond};
use crate::site::Site;

/// A visit of a page.
pub(crate) struct Visit {
    pub(crate) site: Arc<Site>,
    /// The pipeline, where the page is about one.
    pub(crate) at: Option<usize>,
    /// The name of the key that the session was begun with.
    pub(crate) who: String,
    pub(crate) logged_in: bool,
    pub(crate) csrf: String,
    pub(crate) notice: Option<String>,
    pub(crate) token: Token,
    /// Whether the browser has to be told of the session.
    new: bool,
}

impl Visit {
    /// Lets somebody in to the pages of a pipeline, or to the page on which one logs in (`None`).
    fn enter(
        site: &Arc<Site>,
        pipeline: Option<&str>,
        headers: &HeaderMap,
    ) -> Result<Self, Box<Response>> {
        let named = |flow: &Flow| Some(&**flow.plan().name()) == pipeline;
        let at = site.flows.iter().position(named);
        let taken = |session: &mut Session| {
            (session.csrf.clone(), session.key.clone(), session.notice.take())
        };
        let known = Token::of(headers).and_then(|token| {
            let found = site.sessions.with(&token, taken)?;
            Some((token, found))
        });
        let (token, (csrf, key, notice), new) = match known {
            Some((token, found)) => (token, found, false),
            // The browser keeps the cookie back from a page that another site leads to; a new one would end the session that it has.
            None if !is_from_here(headers) => return Err(Box::new(again())),
            None => {
                let begun = site.sessions.begin(None);
                let token = begun.ok_or_else(|| Box::new(unavailable()))?;
                let found = site.sessions.with(&token, taken);
                (token, found.ok_or_else(|| Box::new(unavailable()))?, true)
            }
        };
        let who = key.as_ref().map(|(_, name)| name.clone()).unwrap_or_default();
        let logged_in = key.is_some();
        let site = Arc::clone(site);
        let mut visit = Self { site, at, who, logged_in, csrf, notice, token, new };
        if pipeline.is_none() {
            return Ok(visit);
        }
        let Some(flow) = visit.flow() else {
            let message = "There is no such pipeline here";
            return Err(Box::new(Page::error(StatusCode::NOT_FOUND, message, "").of(&mut visit)));
        };
        let keys = flow.keys.current().map_err(|_| Box::new(unavailable()))?;
        let open = visit.site.loopback && !keys.were_made();
        if open || key.is_some_and(|(id, _)| keys.admits(&id, Scope::Admin)) {
            return Ok(visit);
        }
        Err(Box::new(visit.with_cookie(to("/console/login"))))
    }

    /// Admits the sender of a form from a page of an existing session.
    pub(crate) async fn of_sender(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Response> {
        if !is_from_here(&parts.headers) {
            return Err(respond(&plain(StatusCode::FORBIDDEN)));
        }
        let mut visit = Self::from_request_parts(parts, site).await?;
        if visit.new { Err(visit.foreign()) } else { Ok(visit) }
    }

    /// Returns whether a form has the CSRF token of the session.
    pub(crate) fn has_signed(&self, csrf: &str) -> bool {
        self.csrf.as_bytes().ct_eq(csrf.as_bytes()).into()
    }

    /// Returns the page for a form from outside the session.
    pub(crate) fn foreign(&mut self) -> Response {
        let message = "This form is not from a page of this session";
        let help = "Open the page again, and do it there.";
        Page::error(StatusCode::FORBIDDEN, message, help).of(self)
    }

    /// Returns the address of the pipeline's pages, without a slash at its end.
    pub(crate) fn base(&self) -> String {
        let name = self.flow().map(|flow| flow.plan().name().to_string());
        format!("/console/{}", name.unwrap_or_default())
    }

    pub(crate) fn flow(&self) -> Option<&Flow> {
        self.at.and_then(|at| self.site.flows.get(at))
    }

    /// Reads what a page of the pipeline shows.
    pub(crate) fn read(
        &self,
        read: impl FnOnce(&Flow) -> Result<Json, oms_local::Error>,
    ) -> Result<Json, oms_local::Error> {
        self.flow().map_or(Ok(Json::Null), read)
    }

    /// Does something with the session.
    pub(crate) fn session<T>(&self, work: impl FnOnce(&mut Session) -> T) -> Option<T> {
        self.site.sessions.with(&self.token, work)
    }

    /// Tells the browser of the session, where it is new.
    pub(crate) fn with_cookie(&self, mut response: Response) -> Response {
        let cookie = self.token.cookie(self.site.private);
        if let (true, Ok(cookie)) = (self.new, HeaderValue::from_str(&cookie)) {
            response.headers_mut().append(SET_COOKIE, cookie);
        }
        response
    }

    /// Leads to another page, which says what happened.
    pub(crate) fn lead(&self, path: &str, notice: &str) -> Response {
        self.session(|session| session.notice = Some(notice.to_owned()));
        self.with_cookie(to(path))
    }
}

/// A page is only made for somebody who may see it.
impl FromRequestParts<Arc<Site>> for Visit {
    type Rejection = Response;

    async fn from_request_parts(
        parts: &mut Parts,
        site: &Arc<Site>,
    ) -> Result<Self, Self::Rejection> {
        let named = RawPathParams::from_request_parts(parts, site).await;
        let named = named.map_err(IntoResponse::into_response)?;
        let pipeline = named.iter().find(|(name, _)| *name == "pipeline").map(|(_, value)| value);
        Self::enter(site, pipeline, &parts.headers).map_err(|refused| *refused)
    }
}

fn unavailable() -> Response {
    respond(&oms_engine::intake::Reply::unavailable())
}

/// Leads to another page (RFC 9110, 15.4.4).
pub(crate) fn to(path: &str) -> Response {
    let location = HeaderValue::from_str(path).unwrap_or(HeaderValue::from_static("/console/"));
    (StatusCode::SEE_OTHER, [(LOCATION, location)]).into_response()
}

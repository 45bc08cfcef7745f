//! Authorization by API key. No key is required if only this machine can connect and the state
//! never had one.

use axum::http::StatusCode;
use axum::http::header::{AUTHORIZATION, HeaderMap};
use oms_engine::intake::Reply;
use oms_sqlite::{KeyCheck, Scope};

use super::flow::Flow;
use super::site::Site;
use crate::http::origin::{is_same_origin, require_this_machine};
use crate::http::reply::status_problem;

const API_KEY: &str = "x-api-key";

/// Checks that the sender of these headers has the permission `scope`. Returns the name of the API
/// key, or `None` if no key is required.
pub(crate) fn authorize(
    site: &Site,
    flow: &Flow,
    headers: &HeaderMap,
    scope: Scope,
) -> Result<Option<String>, Reply> {
    // If the keys cannot be read, no request is admitted.
    let keys = flow.keys.current().map_err(|_| Reply::unavailable())?;
    if site.loopback && !keys.ever_existed() {
        // Under another host name, the request may come from a page of another site.
        require_this_machine(headers)?;
        return match is_same_origin(headers) {
            true => Ok(None),
            false => Err(status_problem(StatusCode::FORBIDDEN)),
        };
    }
    let given = headers.get(API_KEY).and_then(|value| value.to_str().ok());
    let given = given.or_else(|| {
        let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (scheme, token) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then_some(token.trim())
    });
    match given.map(|secret| keys.check(secret, scope)) {
        Some(KeyCheck::Valid { name, .. }) => Ok(Some(name)),
        Some(KeyCheck::InsufficientScope) => Err(status_problem(StatusCode::FORBIDDEN)),
        Some(KeyCheck::Unknown) => {
            Err(status_problem(StatusCode::UNAUTHORIZED)
                .detailed("the API key is unknown or revoked"))
        }
        None => Err(status_problem(StatusCode::UNAUTHORIZED)
            .detailed("send an API key in the header `X-Api-Key`; `oms keys add` creates one")),
    }
}

//! Where a request comes from: this machine, a proxy, or a page of another site.

use axum::http::header::{HOST, HeaderMap, ORIGIN};
use axum::http::{StatusCode, Uri};
use oms_engine::intake::Reply;

use super::reply::status_problem;

/// Headers that proxies add, besides `X-Forwarded-*`: RFC 7239, RFC 8586, RFC 9110, and those of
/// nginx, Cloudflare, Akamai, Fastly, Envoy, Azure, Fly, DigitalOcean, WebLogic and Netlify.
const PROXY_HEADERS: [&str; 17] = [
    "forwarded",
    "via",
    "x-forwarded",
    "x-real-ip",
    "x-client-ip",
    "x-envoy-external-address",
    "cf-connecting-ip",
    "true-client-ip",
    "fastly-client-ip",
    "x-original-forwarded-for",
    "x-cluster-client-ip",
    "x-azure-clientip",
    "fly-client-ip",
    "do-connecting-ip",
    "wl-proxy-client-ip",
    "x-nf-client-connection-ip",
    "cdn-loop",
];

/// Returns whether a proxy forwarded a request (RFC 7239, or one of the older headers). Such a
/// request may come from any machine, even if the proxy runs on this one.
fn is_forwarded(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| {
        let name = name.as_str();
        PROXY_HEADERS.contains(&name) || name.starts_with("x-forwarded-")
    })
}

/// Returns the response to a forwarded request if the server has no API keys.
fn reject_forwarded() -> Reply {
    let detail = "a server without API keys rejects requests that a proxy forwarded; create a key with `oms keys add PIPELINE NAME`";
    status_problem(StatusCode::FORBIDDEN).detailed(detail)
}

/// Returns the response to a request for another host if the server has no API keys.
fn misdirected() -> Reply {
    let detail = "a server without API keys accepts only requests for `localhost` or a loopback address; create a key with `oms keys add PIPELINE NAME`";
    status_problem(StatusCode::MISDIRECTED_REQUEST).detailed(detail)
}

/// Rejects a request that a server without API keys does not accept: one that a proxy forwarded, or
/// one for a host other than this machine.
pub(crate) fn require_this_machine(headers: &HeaderMap) -> Result<(), Reply> {
    if is_forwarded(headers) {
        return Err(reject_forwarded());
    }
    match names_this_machine(headers) {
        true => Ok(()),
        false => Err(misdirected()),
    }
}

/// Returns whether a request names this machine as its host. Under another name, it may come from a
/// page of another site (DNS rebinding).
pub fn names_this_machine(headers: &HeaderMap) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let Ok(address) = host.parse::<Uri>() else { return false };
    let name = address.host().unwrap_or_default();
    let ip = name.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    name.eq_ignore_ascii_case("localhost") || ip.is_ok_and(|ip| ip.is_loopback())
}

/// Returns whether a request was sent by a page of this server or by no page at all, as far as
/// browsers report it (Fetch Metadata; RFC 6454).
pub(crate) fn is_same_origin(headers: &HeaderMap) -> bool {
    let site = headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
    if site.is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return false;
    }
    let Some(origin) = headers.get(ORIGIN) else { return true };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    let origin = origin.to_str().ok().and_then(|origin| origin.parse::<Uri>().ok());
    let authority = origin.as_ref().and_then(Uri::authority).map(|authority| authority.as_str());
    authority.is_some() && authority == host
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn forwarding_headers_are_recognized() {
        let of = |name: &'static str| {
            let name = axum::http::HeaderName::from_static(name);
            is_forwarded(&HeaderMap::from_iter([(name, HeaderValue::from_static("10.0.0.1"))]))
        };
        for name in [
            "forwarded",
            "x-forwarded",
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-real-ip",
            "via",
            "cf-connecting-ip",
        ] {
            assert!(of(name), "{name}");
        }
        for name in ["host", "x-forward", "x-request-id", "forwarded-for"] {
            assert!(!of(name), "{name}");
        }
    }

    #[test]
    fn only_loopback_names_are_this_machine() {
        let of = |host: &'static str| {
            names_this_machine(&HeaderMap::from_iter([(HOST, HeaderValue::from_static(host))]))
        };
        for host in ["127.0.0.1:8080", "localhost:8080", "LOCALHOST", "[::1]:8080", "127.0.0.1"] {
            assert!(of(host), "{host}");
        }
        for host in ["example.com:8080", "localhost.example.com", "10.0.0.1:8080", ""] {
            assert!(!of(host), "{host}");
        }
    }

    #[test]
    fn pages_of_other_sites_are_recognized() {
        let of = |headers: &[(&'static str, &'static str)]| {
            let header = |(name, value): &(&'static str, &'static str)| {
                (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            is_same_origin(&headers.iter().map(header).collect())
        };
        let host = ("host", "127.0.0.1:8080");
        for headers in [
            [host].as_slice(),
            &[host, ("sec-fetch-site", "same-origin")],
            &[host, ("sec-fetch-site", "none")],
            &[host, ("origin", "http://127.0.0.1:8080")],
        ] {
            assert!(of(headers), "{headers:?}");
        }
        for headers in [
            [host, ("sec-fetch-site", "cross-site")],
            [host, ("sec-fetch-site", "same-site")],
            [host, ("origin", "http://127.0.0.1:8081")],
            [host, ("origin", "https://example.com")],
            [host, ("origin", "null")],
        ] {
            assert!(!of(&headers), "{headers:?}");
        }
    }

    #[test]
    fn a_server_without_keys_rejects_other_hosts_and_proxies() {
        let status = |headers: &[(&'static str, &'static str)]| {
            let header = |(name, value): &(&'static str, &'static str)| {
                (axum::http::HeaderName::from_static(name), HeaderValue::from_static(value))
            };
            let headers = headers.iter().map(header).collect();
            require_this_machine(&headers).err().map(|reply| reply.status)
        };
        assert_eq!(status(&[("host", "localhost:8080")]), None);
        assert_eq!(status(&[("host", "example.com")]), Some(421));
        assert_eq!(status(&[("host", "localhost"), ("via", "1.1 proxy")]), Some(403));
    }
}

//! The `services` section.

use std::sync::Arc;
use std::time::Duration;

use fluent_uri::Uri;
use oms_core::diagnostic::{Finding, Place, Route, codes};

use super::setting_text;
use super::sink::Sink;
use crate::pipeline::{AuthSection, Pipeline, Section, ServiceSection, parse_duration};
use crate::step::{Idempotency, Resources, Service, ServiceAuth, header_fault};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(30);
const TIMEOUT_MAX: Duration = Duration::from_secs(600);
/// Maximum time for which a service keeps an idempotency key.
const KEEPS_MAX: Duration = Duration::from_secs(366 * 24 * 3600);

/// The URL of a service whose setting has no value here.
const SAMPLE_URL: &str = "https://example.com";

/// Checks the services and adds them to the resources.
pub(super) fn check(pipeline: &Pipeline, sink: &mut Sink<'_>, resources: &mut Resources) {
    for named in &pipeline.services {
        let service = named.section.as_ref().and_then(|section| {
            let mut check = Check { route: &named.route, resources, sink, is_valid: true };
            let service = check.service(named, section);
            check.is_valid.then_some(service)
        });
        resources.services.insert(Arc::from(named.name.as_str()), service.map(Arc::new));
    }
}

/// Adds findings about one service.
struct Check<'a, 'd> {
    route: &'a Route,
    resources: &'a Resources,
    sink: &'a mut Sink<'d>,
    is_valid: bool,
}

impl Check<'_, '_> {
    fn service(&mut self, named: &Section<ServiceSection>, section: &ServiceSection) -> Service {
        let base_url = self.base_url(section);
        let timeout = section.timeout.as_deref().and_then(|text| {
            self.duration(text, &self.route.key("timeout"), TIMEOUT_MAX, "`10s`, at most `10m`")
        });
        let idempotency = section.idempotency.as_ref().map(|idempotency| {
            let route = self.route.key("idempotency");
            self.header_name(&idempotency.header, Place::value(route.key("header")));
            let example = "`24h`, at most `366d`";
            let keeps = self.duration(&idempotency.keeps, &route.key("keeps"), KEEPS_MAX, example);
            let keeps = keeps.unwrap_or_default();
            Idempotency { header: idempotency.header.clone(), keeps }
        });
        Service {
            name: Arc::from(named.name.as_str()),
            base_url,
            auth: section.auth.as_ref().and_then(|auth| self.auth(auth)),
            headers: self.headers(section),
            timeout: timeout.unwrap_or(TIMEOUT_DEFAULT),
            max_concurrency: section.max_concurrency,
            per_second: section.rate.map(|rate| rate.per_second),
            idempotency,
        }
    }

    fn refuse(&mut self, place: Place, message: &str, help: &str) {
        self.is_valid = false;
        let finding = Finding::error(codes::VALUE_NOT_ALLOWED, place, message);
        self.sink.add(finding.help(help.to_owned()));
    }

    fn text(&mut self, written: &str, route: &Route) -> Option<setting_text::SettingText> {
        let text = setting_text::read(written, route, self.resources, self.sink);
        self.is_valid &= text.is_some();
        text
    }

    fn base_url(&mut self, section: &ServiceSection) -> String {
        let route = self.route.key("base_url");
        let Some(text) = self.text(&section.base_url, &route) else { return String::new() };
        if text.is_sample {
            return SAMPLE_URL.to_owned();
        }
        let url = text.text.trim_end_matches('/');
        match url_fault(url) {
            Some(message) => {
                let help = "write a URL such as `https://api.example.com/v2`";
                self.refuse(Place::value(route), message, help);
            }
            None if section.auth.is_some() && sends_unencrypted(url) => {
                let message = "the credentials are sent over an unencrypted connection";
                self.sink.add(
                    Finding::warning(codes::UNENCRYPTED_SERVICE, Place::value(route), message)
                        .help("use a URL that begins with `https://`".to_owned()),
                );
            }
            None => {}
        }
        url.to_owned()
    }

    fn duration(
        &mut self,
        text: &str,
        route: &Route,
        max: Duration,
        example: &str,
    ) -> Option<Duration> {
        let duration = parse_duration(text).filter(|duration| *duration <= max);
        if duration.is_none() {
            let help = format!("write a duration such as {example}");
            self.refuse(Place::value(route.clone()), "invalid duration", &help);
        }
        duration
    }

    fn auth(&mut self, auth: &AuthSection) -> Option<ServiceAuth> {
        if let Some(token) = &auth.bearer {
            return Some(ServiceAuth::Bearer(token.clone()));
        }
        if let Some(basic) = &auth.basic {
            let (user, password) = (basic.user.clone(), basic.password.clone());
            return Some(ServiceAuth::Basic { user, password });
        }
        let header = auth.header.as_ref()?;
        let place = self.route.key("auth").key("header").key("name");
        self.header_name(&header.name, Place::value(place));
        Some(ServiceAuth::Header { name: header.name.clone(), value: header.value.clone() })
    }

    fn header_name(&mut self, name: &str, place: Place) {
        // The key of a credential may be in any header, so `Authorization` is allowed here.
        let is_credential = name.eq_ignore_ascii_case("authorization");
        if let Some((message, help)) = header_fault(name, "").filter(|_| !is_credential) {
            self.refuse(place, &message, help);
        }
    }

    fn headers(&mut self, section: &ServiceSection) -> Vec<(String, String)> {
        let mut headers = Vec::new();
        for (name, value) in &section.headers {
            let route = self.route.key("headers").key(name);
            let Some(value) = self.text(value, &route) else { continue };
            if let Some((message, help)) = header_fault(name, &value.text) {
                self.refuse(Place::key(route), &message, help);
            }
            headers.push((name.clone(), value.text));
        }
        headers
    }
}

/// Returns why a text cannot be the base URL of a service.
fn url_fault(url: &str) -> Option<&'static str> {
    let Ok(url) = Uri::parse(url) else { return Some("the base URL is not an absolute URL") };
    let scheme = url.scheme().as_str();
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Some("the base URL must begin with `https://` or `http://`");
    }
    let Some(authority) = url.authority() else { return Some("the base URL has no host") };
    if authority.host().is_empty() {
        return Some("the base URL has no host");
    }
    if authority.port_to_u16().is_err() {
        return Some("the port of the base URL is invalid");
    }
    if authority.userinfo().is_some() {
        return Some("the base URL must not contain credentials; use `auth`");
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Some("the base URL must not have a query or a fragment");
    }
    None
}

/// Returns whether requests to a URL leave this machine without encryption.
fn sends_unencrypted(url: &str) -> bool {
    let Ok(url) = Uri::parse(url) else { return false };
    let host = url.authority().map(|authority| authority.host()).unwrap_or_default();
    let is_here = ["localhost", "127.0.0.1", "[::1]"].contains(&host);
    url.scheme().as_str().eq_ignore_ascii_case("http") && !is_here
}

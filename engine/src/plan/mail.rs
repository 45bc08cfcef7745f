//! The `mail` section: the sender's address and the SMTP server.

use std::sync::Arc;

use oms_core::diagnostic::{Finding, Place, Route, codes};
use oms_core::document::Files;
use oms_core::mail::Mailbox;
use oms_core::mail::Security;

use super::setting_text;
use super::sink::Sink;
use crate::pipeline::{Pipeline, SettingSource, SmtpSection};
use crate::step::{MailSettings, Resources};

pub(super) fn check(
    pipeline: &Pipeline,
    sink: &mut Sink<'_>,
    files: &dyn Files,
    resources: &mut Resources,
) {
    let Some(section) = &pipeline.mail else { return };
    let route = Route::root().key("mail");
    resources.has_mail_section = true;
    // A bundle without a step that sends e-mails contains no templates.
    if files.list(&section.templates).is_empty() {
        let message = format!("the folder `{}` does not exist or is empty", section.templates);
        let place = Place::value(route.key("templates"));
        let help = "create it next to the pipeline file, with a folder for each e-mail template";
        sink.add(
            Finding::error(codes::FILE_UNREADABLE, place, message)
                .help(help.to_owned())
                .ignored_in_bundles(),
        );
    }
    let refuse = |key: &str, message: String, help: &str| {
        let place = Place::value(route.key(key));
        Finding::error(codes::VALUE_NOT_ALLOWED, place, message).help(help.to_owned())
    };
    let from = setting_text::read(&section.from, &route.key("from"), resources, sink);
    let smtp = section.smtp.as_ref().map(|smtp| with_host(smtp, resources, sink));
    let Some(mut from) = from else { return };
    if from.is_sample {
        from.text = "setting@example.com".to_owned();
    }
    match Mailbox::parse(&from.text).and_then(|from| from.domain().map(|_| from)) {
        Ok(from) => {
            resources.mail = Some(Arc::new(MailSettings {
                from,
                templates: Arc::from(section.templates.trim_end_matches('/')),
                locale: Arc::from(section.locale.as_str()),
                time_zone: resources.time_zone.clone(),
                smtp: smtp.clone(),
            }));
        }
        Err(error) => sink.add(refuse(
            "from",
            format!("invalid sender: {error}"),
            "write `Orders <orders@example.com>`",
        )),
    }
    if let Some(smtp) = &smtp {
        server(smtp, sink);
    }
}

/// Maximum length of a host name in bytes (RFC 1035, 2.3.4).
const HOST_BYTES_MAX: usize = 253;

/// Returns the section with the host name of this environment. Reports an invalid host name.
fn with_host(smtp: &SmtpSection, resources: &Resources, sink: &mut Sink<'_>) -> SmtpSection {
    let route = Route::root().key("mail").key("smtp").key("host");
    let host = setting_text::read(&smtp.host, &route, resources, sink);
    let host = match host {
        Some(host) if !host.is_sample => host.text,
        // The server of this machine, because every security is allowed for it.
        _ => "localhost".to_owned(),
    };
    let is_name = |letter: char| letter.is_alphanumeric() || "-._:[]".contains(letter);
    if host.is_empty() || host.len() > HOST_BYTES_MAX || !host.chars().all(is_name) {
        let finding =
            Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), "invalid host name");
        let finding = finding.help("write a host name, such as `smtp.example.com`".to_owned());
        sink.add(finding.ignored_in_bundles());
    }
    SmtpSection { host, ..smtp.clone() }
}

/// Returns whether a name is valid in `EHLO`: labels of letters, digits and hyphens, or an address
/// in brackets.
fn is_helo_name(name: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    match name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(address) => address.trim_start_matches("IPv6:").parse::<std::net::IpAddr>().is_ok(),
        None => name.split('.').all(is_label),
    }
}

/// Checks the settings of the SMTP server.
fn server(smtp: &SmtpSection, sink: &mut Sink<'_>) {
    let route = Route::root().key("mail").key("smtp");
    let at = |key: &str| Place::value(route.key(key));
    match (&smtp.user, &smtp.password) {
        (None, Some(_)) => sink.add(
            Finding::error(codes::MISSING_KEY, at("password"), "`password` requires `user`")
                .help("add `user`".to_owned()),
        ),
        (Some(_), None) => sink.add(
            Finding::error(codes::MISSING_KEY, at("user"), "`user` requires `password`")
                .help("add `password: { env: SMTP_PASSWORD }`".to_owned()),
        ),
        _ => {}
    }
    if matches!(smtp.password, Some(SettingSource::Text(_))) {
        let message = "the password must not be in the pipeline file";
        let help = "refer to an environment variable: `{ env: SMTP_PASSWORD }`";
        sink.add(
            Finding::error(codes::VALUE_NOT_ALLOWED, at("password"), message).help(help.to_owned()),
        );
    }
    if smtp.helo_name.as_deref().is_some_and(|name| !is_helo_name(name)) {
        let message = "`helo_name` is not a domain or an address literal (RFC 5321, 4.1.1.1)";
        sink.add(
            Finding::error(codes::VALUE_NOT_ALLOWED, at("helo_name"), message)
                .help("write a domain such as `shop.example.com`".to_owned()),
        );
    }
    let here = matches!(smtp.host.as_str(), "localhost" | "127.0.0.1" | "::1");
    if smtp.password.is_some() && smtp.security == Security::None && !here {
        let message = "the password would be sent over an unencrypted connection";
        sink.add(
            Finding::error(codes::VALUE_NOT_ALLOWED, at("security"), message)
                .help("write `starttls` or `tls`".to_owned()),
        );
    }
}

//! The body of a request.

use std::sync::Arc;

use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::effects::Method;
use oms_engine::step::{Expr, PlanContext, header_fault};
use oms_engine::value::{Value, write_json};
use serde_json::{Map, Value as Json};

use crate::http_request;
use crate::http_target::{encode, parameters};

/// The settings of a body.
pub(crate) struct Config<'a> {
    pub json: Option<&'a Json>,
    pub form: Option<&'a Map<String, Json>>,
    pub text: Option<&'a Expr<String>>,
    pub content_type: Option<&'a str>,
}

/// The form of a body.
pub(crate) enum Body {
    /// The request has no body.
    None,
    /// JSON (RFC 8259).
    Json,
    /// The fields of a form.
    Form,
    /// Text of this media type.
    Text(String),
}

/// Compiles the body.
pub(crate) fn compile(
    config: &http_request::Config,
    method: Method,
    cx: &mut PlanContext<'_>,
) -> Body {
    let config = config.body();
    let given = [
        ("json", config.json.is_some()),
        ("form", config.form.is_some()),
        ("text", config.text.is_some()),
    ];
    let mut given = given.into_iter().filter(|(_, given)| *given).map(|(key, _)| key);
    let (first, second) = (given.next(), given.next());
    if let Some(second) = second {
        refuse(second, "a request has only one body", "keep one of `json`, `form` and `text`", cx);
    }
    if let (Some(first), true) = (first, method.is_safe()) {
        let message = format!("a `{}` request has no body", method.as_str());
        refuse(first, &message, "use `POST`, or write the values under `query`", cx);
    }
    check_content_type(&config, cx);
    let route = |key: &str| Route::root().key(key);
    match (config.json, config.form, config.text) {
        (Some(json), ..) => {
            cx.value("body", &route("json"), json, None);
            Body::Json
        }
        (None, Some(form), _) => {
            parameters("form", form, "body", cx);
            Body::Form
        }
        (None, None, Some(text)) => {
            let expected = oms_engine::value::Type::text();
            cx.value("body", &route("text"), text.raw(), Some(&expected));
            Body::Text(config.content_type.unwrap_or_default().to_owned())
        }
        (None, None, None) => {
            cx.value("body", &route("json"), &Json::Null, None);
            Body::None
        }
    }
}

fn check_content_type(config: &Config<'_>, cx: &mut PlanContext<'_>) {
    match (config.text, config.content_type) {
        (Some(_), None) => {
            let help = "add `content_type: text/plain; charset=utf-8`";
            refuse("text", "`text` requires `content_type`", help, cx);
        }
        (None, Some(_)) => {
            let help = "remove it; `json` and `form` determine the media type";
            refuse("content_type", "`content_type` has no effect without `text`", help, cx);
        }
        (Some(_), Some(media))
            if !media.contains('/') || header_fault("accept", media).is_some() =>
        {
            let help = "write a media type such as `text/csv`";
            refuse("content_type", "invalid media type", help, cx);
        }
        _ => {}
    }
}

fn refuse(key: &str, message: &str, help: &str, cx: &mut PlanContext<'_>) {
    let place = Place::key(Route::root().key(key));
    cx.fault(Finding::error(codes::VALUE_NOT_ALLOWED, place, message).help(help.to_owned()));
}

impl Body {
    /// Returns the media type and the bytes of the body.
    pub(crate) fn write(&self, value: &Value) -> Option<(String, Arc<[u8]>)> {
        let (media, text) = match self {
            Self::None => return None,
            Self::Json => ("application/json", write_json(value)),
            Self::Form => ("application/x-www-form-urlencoded", encode(value)),
            Self::Text(media) => {
                (media.as_str(), value.as_text().map(ToString::to_string).unwrap_or_default())
            }
        };
        Some((media.to_owned(), Arc::from(text.into_bytes())))
    }
}

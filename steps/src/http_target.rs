//! The path, the query and the headers of a request.

use std::collections::BTreeMap;
use std::sync::Arc;

use oms_engine::diagnostic::{Finding, Place, Route, codes};
use oms_engine::effects::{RequestEnd, StepError, cause};
use oms_engine::step::{Expr, PlanContext, Service, header_fault};
use oms_engine::value::{RecordType, Shape, Type, Value};
use serde_json::{Map, Value as Json};

/// The form of a path.
pub(crate) struct Target {
    /// Whether the path as written ends in a slash, so that its last segment is empty.
    ends_in_slash: bool,
}

/// Compiles the path and the query.
pub(crate) fn compile(
    path: &Expr<String>,
    query: &Map<String, Json>,
    cx: &mut PlanContext<'_>,
) -> Target {
    let route = Route::root().key("path");
    let written = path.raw().as_str().unwrap_or_default();
    let compiled = cx.url("path", &route, path.raw());
    let fixed: Vec<&str> = compiled.iter().flat_map(|compiled| compiled.fixed_texts()).collect();
    let fault = match fixed.join("x").as_str() {
        _ if compiled.is_none() => None,
        _ if !written.starts_with('/') => Some(("the path must begin with `/`", "add a `/`")),
        fixed if fixed.contains(['?', '#']) => {
            Some(("the path contains `?` or `#`", "write the parameters under `query`"))
        }
        fixed if fixed.chars().any(|letter| !letter.is_ascii_graphic() || letter == '\\') => {
            Some(("the path contains a character that must be encoded", "percent-encode it"))
        }
        fixed if has_bad_segment(fixed, true) => {
            Some(("a segment of the path is empty, `.` or `..`", "remove the segment"))
        }
        _ => None,
    };
    if let Some((message, help)) = fault {
        let finding = Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route), message);
        cx.fault(finding.help(help.to_owned()));
    }
    parameters("query", query, "query", cx);
    Target { ends_in_slash: written.trim_end().ends_with('/') }
}

/// Compiles parameters of a query or fields of a form as a field of the input. They are scalars or
/// lists of scalars.
pub(crate) fn parameters(
    key: &str,
    parameters: &Map<String, Json>,
    field: &str,
    cx: &mut PlanContext<'_>,
) {
    let route = Route::root().key(key);
    let compiled = cx.value(field, &route, &Json::Object(parameters.clone()), None);
    let Some(compiled) = compiled else { return };
    let Some(record) = compiled.ty().as_record() else { return };
    for parameter in record.fields() {
        let element = match &parameter.ty.shape {
            Shape::List(element) => element,
            _ => &parameter.ty,
        };
        if matches!(element.shape, Shape::Record(_) | Shape::List(_) | Shape::Json) {
            let message = format!("a parameter must be a single value or a list, not {element}");
            let place = Place::value(route.key(&parameter.name));
            let help = "name one member, such as `order.customer.id`";
            cx.fault(Finding::error(codes::WRONG_TYPE, place, message).help(help.to_owned()));
        }
    }
}

/// Compiles the headers of a request.
pub(crate) fn compile_headers(
    headers: &BTreeMap<String, Expr<String>>,
    service: Option<&Service>,
    cx: &mut PlanContext<'_>,
) {
    let route = Route::root().key("headers");
    let of_service = |name: &str| {
        let service = service?;
        let key = service.idempotency.iter().map(|idempotency| &idempotency.header);
        let mut names = service.headers.iter().map(|(name, _)| name).chain(key);
        names.find(|known| known.eq_ignore_ascii_case(name))
    };
    for name in headers.keys() {
        let fault = match (header_fault(name, ""), of_service(name)) {
            (Some(fault), _) => Some(fault),
            (None, Some(_)) => {
                Some((format!("the service already sets the header `{name}`"), "remove it here"))
            }
            (None, None) => None,
        };
        if let Some((message, help)) = fault {
            let place = Place::key(route.key(name));
            let finding = Finding::error(codes::VALUE_NOT_ALLOWED, place, message);
            cx.fault(finding.help(help.to_owned()));
        }
    }
    let raw = headers.iter().map(|(name, value)| (name.clone(), value.raw().clone())).collect();
    let texts = headers.keys().map(|name| (Arc::from(name.as_str()), Type::text()));
    let expected = Type::of(Shape::Record(Arc::new(RecordType::new(texts))));
    cx.value("headers", &route, &Json::Object(raw), Some(&expected));
}

/// Returns the evaluated headers.
///
/// # Errors
/// Returns an error if a value has a character that a header cannot have.
pub(crate) fn headers(headers: &Value) -> Result<Vec<(String, String)>, StepError> {
    let all = headers.as_record().into_iter().flat_map(|record| record.iter());
    all.map(|(name, value)| {
        let value = value.as_text().map(ToString::to_string).unwrap_or_default();
        match header_fault(name, &value) {
            Some((message, _)) => Err(invalid(message)),
            None => Ok((name.to_string(), value)),
        }
    })
    .collect()
}

impl Target {
    /// Returns the path with the query.
    ///
    /// # Errors
    /// Returns an error if a segment of the path is empty, `.` or `..`.
    pub(crate) fn write(&self, path: &str, query: &Value) -> Result<String, StepError> {
        if has_bad_segment(path, self.ends_in_slash) {
            return Err(invalid("a segment of the path is empty, `.` or `..`".to_owned()));
        }
        let query = encode(query);
        Ok(if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") })
    }
}

/// Encodes parameters as `application/x-www-form-urlencoded`. Null values are left out, and lists
/// repeat their parameter.
pub(crate) fn encode(parameters: &Value) -> String {
    let mut pairs: Vec<(&str, String)> = Vec::new();
    for (name, value) in parameters.as_record().into_iter().flat_map(|record| record.iter()) {
        let values = match value {
            Value::List(elements) => elements.iter().collect(),
            value => vec![value],
        };
        let values = values.into_iter().filter(|value| !value.is_null());
        pairs.extend(values.map(|value| (name.as_ref(), value.display())));
    }
    // Pairs of texts always serialize.
    serde_urlencoded::to_string(pairs).unwrap_or_default()
}

/// Returns whether a segment of a path is empty, `.` or `..`. Servers treat encoded dots like dots
/// (WHATWG URL Standard, "double-dot URL path segment").
fn has_bad_segment(path: &str, may_end_in_slash: bool) -> bool {
    let mut segments = path.strip_prefix('/').unwrap_or(path).split('/').peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        let plain = segment.to_ascii_lowercase().replace("%2e", ".");
        let is_bad = match plain.as_str() {
            "" => !(is_last && may_end_in_slash),
            "." | ".." => true,
            _ => false,
        };
        if is_bad {
            return true;
        }
    }
    false
}

/// Returns the failure of a request that cannot be sent because of a value in it.
fn invalid(message: String) -> StepError {
    StepError::permanent(cause::OUT_OF_RANGE, message).with_request(RequestEnd::NotDone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_segment() {
        let target = Target { ends_in_slash: false };
        for path in ["/orders/", "/orders//x", "/orders/..", "/orders/./x", "/orders/%2E%2e/x"] {
            assert!(target.write(path, &Value::Null).is_err(), "{path}");
        }
        assert_eq!(target.write("/orders/a%2Fb", &Value::Null).unwrap(), "/orders/a%2Fb");
        assert!(Target { ends_in_slash: true }.write("/orders/", &Value::Null).is_ok());
        assert!(target.write("/...", &Value::Null).is_ok());
    }
}

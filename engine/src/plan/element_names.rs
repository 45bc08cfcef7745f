//! The names of an element of `for_each` and of its index.

use oms_core::diagnostic::{Finding, Place, Route, codes};
use oms_expression::Root;

use super::sink::Sink;
use crate::pipeline::ForEachSection;
use crate::step::Resources;

/// Reports a name that is used for both the element and its index, and a name that hides the
/// settings of the pipeline.
pub(super) fn check(
    each: &ForEachSection,
    route: &Route,
    resources: &Resources,
    sink: &mut Sink<'_>,
) {
    let refuse = |key: &str, message: String, name: &str| {
        let help = format!("choose another name, such as `{name}`");
        Finding::error(codes::BAD_NAME, Place::value(route.key(key)), message).help(help)
    };
    if let Some(index) = each.index.as_ref().filter(|index| **index == each.name) {
        let message = format!("`{index}` is already the name of the element");
        sink.add(refuse("index", message, "position"));
    }
    let hides = |name: &str| resources.settings.is_some() && name == Root::Settings.as_str();
    let message = || "`settings` is the name of the pipeline's settings".to_owned();
    if hides(&each.name) {
        sink.add(refuse("as", message(), "item"));
    }
    if each.index.as_deref().is_some_and(hides) {
        sink.add(refuse("index", message(), "position"));
    }
}

//! Texts outside of steps that can use settings, such as the sender of e-mails.

use oms_core::diagnostic::{Finding, Place, Route, codes};
use oms_core::value::Type;
use oms_expression::{Compiled, Env, Scope};
use serde_json::Value as Json;

use super::settings::uses;
use super::sink::Sink;
use crate::step::Resources;

/// A text whose expressions were evaluated with the settings of this environment.
pub(super) struct SettingText {
    pub text: String,
    /// Whether a setting in it has no value here. Then the text is a sample, so that checks of its
    /// value do not apply.
    pub is_sample: bool,
}

/// Returns the text that is written at a route. Its expressions can only use settings. Returns
/// `None` if it has findings.
pub(super) fn read(
    written: &str,
    route: &Route,
    resources: &Resources,
    sink: &mut Sink<'_>,
) -> Option<SettingText> {
    if !written.contains("${{") {
        return Some(SettingText { text: written.to_owned(), is_sample: false });
    }
    let compiled = compile(written, route, resources, sink)?;
    let Ok(value) = compiled.eval(&Env::empty()) else {
        let message = "the value cannot be computed with these settings";
        sink.add(Finding::error(codes::VALUE_NOT_ALLOWED, Place::value(route.clone()), message));
        return None;
    };
    let mut unset = resources.settings.iter().flat_map(|settings| settings.unset());
    let is_sample = unset.any(|name| uses(written, name));
    Some(SettingText { text: value.as_text()?.to_string(), is_sample })
}

/// Compiles a text whose expressions can only use settings.
fn compile(
    written: &str,
    route: &Route,
    resources: &Resources,
    sink: &mut Sink<'_>,
) -> Option<Compiled> {
    let mut scope = Scope::new(resources.time_zone.clone());
    if let Some(settings) = &resources.settings {
        settings.define(&mut scope);
    }
    let written = Json::String(written.to_owned());
    match oms_expression::compile_value(&written, Some(&Type::text()), &scope) {
        Ok(mut compiled) => {
            let notes = compiled.take_notes();
            notes.into_iter().for_each(|problem| sink.add(problem.into_finding(route)));
            Some(compiled)
        }
        Err(problems) => {
            problems.into_iter().for_each(|problem| sink.add(problem.into_finding(route)));
            None
        }
    }
}

//! The `settings` section: the values that a plan uses.
//!
//! The values of a new plan come from environment variables and defaults. They are a file of the
//! bundle, so a run keeps the values with which it started.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::civil::date;
use oms_core::diagnostic::{Finding, Place, codes};
use oms_core::document::{Files, NodeValue, Recorder};
use oms_core::money::{Currency, Decimal};
use oms_core::value::{DateFormat, Shape, Type, Value, is_email, is_uri, parse_date};

use super::sink::Sink;
use crate::pipeline::{Pipeline, Section, SettingSection, SettingType};
use crate::step::Settings;

/// The path of the values in a bundle. No file of a user has this path, because `.oms` contains the
/// states of pipelines.
const FILE: &str = ".oms/settings.json";

/// Maximum number of digits of a decimal before and after the decimal point.
const INTEGER_DIGITS: u32 = 18;
const SCALE: u32 = 10;

/// Returns the value of an environment variable.
pub type Environment = Arc<dyn Fn(&str) -> Option<String> + Send + Sync>;

/// A setting without a valid value in this environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnsetSetting {
    /// The name of the setting.
    pub name: String,
    /// The environment variable that must be set.
    pub env: String,
    /// A description of a valid value.
    pub expected: &'static str,
    /// Whether the environment variable is set, but not to a valid value.
    pub is_invalid: bool,
}

impl std::fmt::Display for UnsetSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, env, expected, is_invalid } = self;
        match is_invalid {
            true => write!(
                f,
                "the environment variable `{env}` of the setting `{name}` is not {expected}"
            ),
            false => write!(
                f,
                "the setting `{name}` has no value; set the environment variable `{env}` to {expected}"
            ),
        }
    }
}

/// Where the values of a plan come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// The bundle of the plan.
    Bundle,
    /// Environment variables. Without them, only defaults apply.
    Environment(Option<&'a Environment>),
}

/// Checks the declarations and determines the values. Returns `None` if the pipeline has no
/// settings. Settings without a valid value are added to `unset`, and have a value of their type, so
/// that the pipeline can be checked, but no run can start.
pub(super) fn check(
    pipeline: &Pipeline,
    sink: &mut Sink<'_>,
    files: &Recorder<'_>,
    source: Source<'_>,
    unset: &mut Vec<UnsetSetting>,
) -> Option<Settings> {
    let section = sink.document.root().get("settings")?;
    if !matches!(section.node.value, NodeValue::Map(_)) {
        return Some(Settings::broken());
    }
    let stored: Option<BTreeMap<String, String>> = match source {
        Source::Bundle => {
            files.read(FILE).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok())
        }
        Source::Environment(_) => None,
    };
    let (mut settings, mut texts) = (BTreeMap::new(), BTreeMap::new());
    for named in &pipeline.settings {
        let name: Arc<str> = Arc::from(named.name.as_str());
        let Some(section) = &named.section else {
            settings.insert(name, (Type::of(Shape::Broken), Value::Missing));
            continue;
        };
        let default = default(named, section, sink);
        let from_bundle = stored.as_ref().and_then(|stored| stored.get(&*name)).cloned();
        let from_environment = || {
            let (env, Source::Environment(Some(environment))) = (section.env.as_deref()?, source)
            else {
                return None;
            };
            // Not every tool can unset a variable, so an empty one counts as not set.
            environment(env).filter(|text| !text.is_empty())
        };
        let given = match &stored {
            Some(_) => from_bundle,
            None => from_environment(),
        };
        let is_given = given.is_some();
        let text = given.or(default);
        let value = text.as_deref().and_then(|text| section.ty.parse(text));
        if let (None, Some(env)) = (&value, &section.env) {
            unset.push(UnsetSetting {
                name: named.name.clone(),
                env: env.clone(),
                expected: section.ty.expected(),
                is_invalid: is_given,
            });
        }
        let value = value.unwrap_or_else(|| section.ty.sample());
        settings.insert(name, (section.ty.ty(), value));
        texts.insert(named.name.clone(), text.unwrap_or_default());
    }
    if let Source::Environment(_) = source {
        let json = serde_json::to_vec(&texts).unwrap_or_default();
        files.record(FILE, Arc::from(json));
    }
    let unset = unset.iter().map(|unset| Arc::from(unset.name.as_str())).collect();
    Some(Settings::new(settings.into_iter().map(|(name, (ty, value))| (name, ty, value)), unset))
}

/// Reports settings that come from environment variables. Handlers contain the values of their
/// bundle and do not read environment variables.
pub(super) fn check_lambda(pipeline: &Pipeline, sink: &mut Sink<'_>) {
    for named in &pipeline.settings {
        if named.section.as_ref().is_none_or(|section| section.env.is_none()) {
            continue;
        }
        let place = Place::key(named.route.key("env"));
        let message = format!("the handlers cannot read the setting `{}`", named.name);
        let help = "remove `env`, and write the value of the deployment as `default`";
        sink.add(Finding::error(codes::LAMBDA_SETTING, place, message).help(help.to_owned()));
    }
}

/// Reports settings that no expression uses.
pub(super) fn check_used(pipeline: &Pipeline, sink: &mut Sink<'_>) {
    let root = sink.document.root();
    let sections =
        ["steps", "mail", "services"].into_iter().filter_map(|section| root.get(section));
    let text: String = sections.map(|entry| entry.node.to_json().to_string()).collect();
    let text = text.replace("\\\"", "\"");
    for named in &pipeline.settings {
        if uses(&text, &named.name) {
            continue;
        }
        let place = Place::key(named.route.clone());
        let message = format!("no expression uses the setting `{}`", named.name);
        let help = format!("use it as `${{{{ settings.{} }}}}`, or remove it", named.name);
        sink.add(Finding::warning(codes::UNUSED_SETTING, place, message).help(help));
    }
}

/// Returns whether a text contains `settings.<name>` or `settings["<name>"]`.
pub(super) fn uses(text: &str, name: &str) -> bool {
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    text.match_indices("settings").any(|(at, found)| {
        let rest = text.get(at + found.len()..).unwrap_or_default().trim_start();
        let rest = match (rest.strip_prefix('.'), rest.strip_prefix('[')) {
            (Some(rest), _) => rest.trim_start(),
            (_, Some(rest)) => rest.trim_start().trim_start_matches(['"', '\'']),
            (None, None) => return false,
        };
        rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(is_name))
    })
}

/// Returns the default of a setting. Reports a setting that can have no value, and an invalid
/// default.
fn default(
    named: &Section<SettingSection>,
    section: &SettingSection,
    sink: &mut Sink<'_>,
) -> Option<String> {
    let Some(default) = &section.default else {
        if section.env.is_none() {
            let message = format!("the setting `{}` has no value", named.name);
            let help = "add `env: NAME` for the environment variable with the value, or `default`";
            let place = Place::key(named.route.clone());
            sink.add(Finding::error(codes::MISSING_KEY, place, message).help(help.to_owned()));
        }
        return None;
    };
    if section.ty.parse(&default.0).is_none() {
        let place = Place::value(named.route.key("default"));
        let message = format!("the default is not {}", section.ty.expected());
        sink.add(Finding::error(codes::VALUE_NOT_ALLOWED, place, message));
        return None;
    }
    Some(default.0.clone())
}

impl SettingType {
    /// Returns the type in expressions.
    fn ty(self) -> Type {
        Type::of(match self {
            Self::Text => Shape::Text { chars_max: None, values: None },
            Self::Integer => Shape::Int,
            Self::Decimal => Shape::Decimal { integer_digits: INTEGER_DIGITS, scale: SCALE },
            Self::Boolean => Shape::Bool,
            Self::Email => Shape::Email,
            Self::Uri => Shape::Uri,
            Self::Currency => Shape::Currency,
            Self::Date => Shape::Date(DateFormat::Iso),
        })
    }

    /// Returns a description of a valid value.
    const fn expected(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Integer => "an integer with 64 bits",
            Self::Decimal => {
                "a decimal with at most 18 digits before and 10 after the decimal point"
            }
            Self::Boolean => "`true` or `false`",
            Self::Email => "an e-mail address",
            Self::Uri => "an absolute URI",
            Self::Currency => "an ISO 4217 currency code in uppercase, such as `EUR`",
            Self::Date => "a date that exists, such as 2025-12-31",
        }
    }

    /// Parses a value.
    fn parse(self, text: &str) -> Option<Value> {
        match self {
            Self::Text => Some(Value::text(text)),
            Self::Integer => text.parse().ok().map(Value::Int),
            Self::Decimal => {
                let decimal = Decimal::parse(text).ok()?;
                let fits = decimal.integer_digits() <= INTEGER_DIGITS && decimal.scale() <= SCALE;
                fits.then_some(Value::Decimal(decimal))
            }
            Self::Boolean => text.parse().ok().map(Value::Bool),
            Self::Email => is_email(text).then(|| Value::text(text)),
            Self::Uri => is_uri(text).then(|| Value::text(text)),
            Self::Currency => Currency::parse(text).is_ok().then(|| Value::text(text)),
            Self::Date => parse_date(text, DateFormat::Iso).map(Value::Date),
        }
    }

    /// Returns a value for checks in an environment without a value.
    fn sample(self) -> Value {
        match self {
            Self::Text => Value::text("setting"),
            Self::Integer => Value::Int(1),
            Self::Decimal => Value::Decimal(Decimal::ONE),
            Self::Boolean => Value::Bool(false),
            Self::Email => Value::text("setting@example.com"),
            Self::Uri => Value::text("https://example.com/"),
            Self::Currency => Value::text("EUR"),
            Self::Date => Value::Date(date(2000, 1, 1)),
        }
    }
}

//! Reports keywords of a schema that are unknown, invalid or without effect, and references that
//! lead nowhere.

use std::collections::HashSet;

use oms_core::diagnostic::{closest, did_you_mean};
use serde_json::{Map, Value as Json, json};

use super::decimals::{allows, apply_to_decimal_texts};
use super::index::{Index, Place, Target, escaped};
use super::keywords::{Constrains, Keyword, keyword, names};
use super::marks::referenced;
use super::problem::{SchemaProblem, SchemaProblemKind};
use super::{formats, meta};

/// The supported dialect of JSON Schema.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

const NO_PATTERN: &str = "invalid regular expression (ECMA-262)";

/// The result of the check.
pub(super) struct Findings {
    pub(super) problems: Vec<SchemaProblem>,
    /// Pointers of the subschemas from which no type can be derived.
    pub(super) broken: HashSet<String>,
}

/// Checks every subschema.
pub(super) fn check(index: &Index<'_>, root: &Json) -> Findings {
    let mut checking = Checker {
        index,
        met_by_texts: apply_to_decimal_texts(index),
        // An `if` alone still has an effect on `unevaluatedItems` and `unevaluatedProperties`.
        has_unevaluated: index.places().iter().any(|place| {
            ["unevaluatedItems", "unevaluatedProperties"]
                .iter()
                .any(|name| place.schema.get(name).is_some())
        }),
        referred: index
            .places()
            .iter()
            .filter_map(|place| index.place(referenced(index, place.schema)?))
            .map(|place| place.pointer.clone())
            .collect(),
        findings: Findings { problems: Vec::new(), broken: HashSet::new() },
    };
    for problem in meta::metaschema_problems(root) {
        let around = index.around(&problem.pointer).to_owned();
        checking.findings.broken.insert(around);
        checking.findings.problems.push(problem);
    }
    for place in index.places() {
        if let Json::Object(map) = place.schema {
            checking.schema(place, map);
        }
    }
    for (position, place) in index.places().iter().enumerate() {
        // A broken keyword may be the one that gives another keyword its effect.
        if let Json::Object(map) = place.schema
            && !checking.findings.broken.contains(&place.pointer)
        {
            checking.effects(place, map, position);
        }
    }
    checking.findings
}

struct Checker<'i, 's> {
    index: &'i Index<'s>,
    met_by_texts: Vec<bool>,
    has_unevaluated: bool,
    /// Pointers of the subschemas to which a `$ref` leads.
    referred: Vec<String>,
    findings: Findings,
}

/// A keyword in a schema.
struct KeywordUse<'a> {
    place: &'a Place<'a>,
    map: &'a Map<String, Json>,
    name: &'a str,
    value: &'a Json,
}

impl Checker<'_, '_> {
    fn schema(&mut self, place: &Place<'_>, map: &Map<String, Json>) {
        for (name, value) in map {
            let here = KeywordUse { place, map, name, value };
            if keyword(name).is_none() {
                let help = closest(name, names()).map(|name| format!("did you mean `{name}`?"));
                self.add_breaking(&here, true, format!("unknown keyword `{name}`"), help);
                continue;
            }
            if let Some(expected) = expected_value(name, value) {
                self.add_breaking(&here, false, format!("`{name}` must be {expected}"), None);
                continue;
            }
            match name.as_str() {
                "$ref" | "$dynamicRef" => self.reference(&here),
                "format" => self.format(&here),
                "x-date-format" => self.date_format(&here),
                "x-precision" | "x-scale" => self.digits(&here),
                "$schema" => self.dialect(&here),
                "pattern" => self.pattern(&here),
                "patternProperties" => self.patterns(&here),
                _ => {}
            }
        }
    }

    /// Reports keywords that constrain nothing.
    fn effects(&mut self, place: &Place<'_>, map: &Map<String, Json>, position: usize) {
        for (name, value) in map {
            let here = KeywordUse { place, map, name, value };
            let Some(known) = keyword(name) else { continue };
            if let Some((message, help)) = self.without_effect(&here, known, position) {
                self.add(SchemaProblemKind::NoEffect, &here, true, message, help);
            }
        }
    }

    /// Adds a problem that does not affect the type of the schema.
    fn add(
        &mut self,
        kind: SchemaProblemKind,
        here: &KeywordUse<'_>,
        on_key: bool,
        message: String,
        help: Option<String>,
    ) {
        let pointer = format!("{}/{}", here.place.pointer, escaped(here.name));
        // A problem that the metaschema already reported for this value is enough.
        if !self.findings.problems.iter().any(|known| known.pointer == pointer) {
            self.findings.problems.push(SchemaProblem { kind, pointer, on_key, message, help });
        }
    }

    /// Adds a problem that makes the type of the schema unknown.
    fn add_breaking(
        &mut self,
        here: &KeywordUse<'_>,
        on_key: bool,
        message: String,
        help: Option<String>,
    ) {
        self.findings.broken.insert(here.place.pointer.clone());
        self.add(SchemaProblemKind::Invalid, here, on_key, message, help);
    }

    fn reference(&mut self, here: &KeywordUse<'_>) {
        let Some(reference) = here.value.as_str() else { return };
        let (message, help) = match self.index.resolve(here.place.schema, reference) {
            Target::Schema(_) | Target::Dialect => return,
            Target::Missing => {
                let message =
                    format!("`{}` points to `{reference}`, which does not exist", here.name);
                (message, self.definitions(reference))
            }
            Target::Elsewhere => {
                let message = format!("`{}` cannot point to another document", here.name);
                let name = definition_name(reference);
                let help = format!(
                    "copy the definition into this schema, below `$defs`, and write `#/$defs/{name}`"
                );
                (message, Some(help))
            }
        };
        self.add_breaking(here, false, message, help);
    }

    /// Suggests a definition with a similar name.
    fn definitions(&self, reference: &str) -> Option<String> {
        let places = self.index.places().iter();
        let known = places.filter(|place| {
            let parent = place.pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
            matches!(parent, "/$defs" | "/definitions")
        });
        let known: Vec<String> = known.map(|place| format!("#{}", place.pointer)).collect();
        closest(reference, known.iter().map(String::as_str))
            .map(|name| format!("did you mean `{name}`?"))
    }

    fn format(&mut self, here: &KeywordUse<'_>) {
        let Some(format) = here.value.as_str() else { return };
        if !formats::names().any(|known| known == format) {
            let help = did_you_mean(format, formats::names());
            self.add_breaking(here, false, format!("unknown format `{format}`"), help);
        }
    }

    fn date_format(&mut self, here: &KeywordUse<'_>) {
        let Some(format) = here.value.as_str() else { return };
        if formats::date_format(format).is_none() {
            let help = "use one of `YYYY-MM-DD`, `MM/DD/YYYY`, `DD/MM/YYYY`".to_owned();
            self.add_breaking(here, false, format!("unknown date format `{format}`"), Some(help));
        }
    }

    fn digits(&mut self, here: &KeywordUse<'_>) {
        const PRECISION_MAX: u64 = 28;
        let given = |name: &str| here.map.get(name).and_then(Json::as_u64);
        // Reported only once, at the precision if there is one.
        if here.name == "x-scale" && here.map.contains_key("x-precision") {
            return;
        }
        let scale = given("x-scale").unwrap_or(4);
        let precision = given("x-precision").unwrap_or_else(|| scale.saturating_add(15));
        if precision > PRECISION_MAX || scale > precision || precision == 0 {
            let message = format!(
                "`x-precision` must be 1 to {PRECISION_MAX}, and `x-scale` at most `x-precision`"
            );
            self.add_breaking(here, false, message, None);
        }
    }

    fn dialect(&mut self, here: &KeywordUse<'_>) {
        let known = ["https://json-schema.org/", "http://json-schema.org/"];
        let Some(dialect) = here.value.as_str() else { return };
        if !known.iter().any(|known| dialect.starts_with(known)) {
            let message = format!("unknown JSON Schema dialect `{dialect}`");
            let help = format!("write `{DIALECT}`, or remove `$schema`");
            self.add(SchemaProblemKind::Invalid, here, false, message, Some(help));
        }
    }

    fn pattern(&mut self, here: &KeywordUse<'_>) {
        if here.value.as_str().is_some_and(|pattern| !is_pattern(pattern)) {
            self.add(SchemaProblemKind::Invalid, here, false, NO_PATTERN.to_owned(), None);
        }
    }

    fn patterns(&mut self, here: &KeywordUse<'_>) {
        for name in here.value.as_object().into_iter().flat_map(Map::keys) {
            if !is_pattern(name) {
                let pointer = format!("{}/{}/{}", here.place.pointer, here.name, escaped(name));
                let (message, help) = (NO_PATTERN.to_owned(), None);
                self.findings.problems.push(SchemaProblem {
                    kind: SchemaProblemKind::Invalid,
                    pointer,
                    on_key: true,
                    message,
                    help,
                });
            }
        }
    }

    /// Returns whether a `$ref` leads to a place or to a place below it.
    fn is_referenced(&self, pointer: &str) -> bool {
        self.referred.iter().any(|target| {
            target
                .strip_prefix(pointer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
    }

    /// Returns a message and a help text if a keyword constrains no value that the schema allows.
    fn without_effect(
        &self,
        here: &KeywordUse<'_>,
        known: &Keyword,
        position: usize,
    ) -> Option<(String, Option<String>)> {
        let KeywordUse { place, map, name, value } = here;
        let schema = place.schema;
        let has_partner = known.partners.is_empty()
            || known.partners.iter().any(|partner| map.contains_key(*partner))
            || (*name == "if" && self.has_unevaluated)
            || self.is_referenced(&format!("{}/{name}", place.pointer));
        if !has_partner {
            let partners: Vec<String> =
                known.partners.iter().map(|partner| format!("`{partner}`")).collect();
            let message = format!("`{name}` has no effect without {}", partners.join(" or "));
            return Some((
                message,
                Some(format!("add {} or remove `{name}`", partners.join(" or "))),
            ));
        }
        let number = || is_possible(map, "number") || is_possible(map, "integer");
        let in_texts = || self.met_by_texts.get(position) == Some(&true);
        let format = map.get("format").and_then(Json::as_str);
        let (has_effect, of) = match known.constrains {
            Constrains::NoValues | Constrains::AllValues => return None,
            Constrains::Numbers => (number() || in_texts(), "numbers"),
            Constrains::Decimals => (
                is_possible(map, "number") || (in_texts() && is_possible(map, "string")),
                "decimals",
            ),
            Constrains::Texts => (is_possible(map, "string"), "text"),
            Constrains::Dates => {
                (format == Some("date") && is_possible(map, "string"), "text with `format: date`")
            }
            Constrains::Arrays => (is_possible(map, "array"), "arrays"),
            Constrains::Objects => (is_possible(map, "object"), "objects"),
        };
        if has_effect {
            return None;
        }
        let message = format!("`{name}` has no effect here: it applies only to {of}");
        let help = match (known.constrains, *name) {
            (Constrains::Numbers | Constrains::Decimals, _) if allows(schema, "string") => {
                format!("add `format: decimal` if the text is a decimal, or remove `{name}`")
            }
            (Constrains::Texts, "format") if value.as_str() == Some("decimal") => {
                "remove `format`; numbers are exact decimals without it".to_owned()
            }
            _ => format!("remove `{name}`"),
        };
        Some((message, Some(help)))
    }
}

/// Returns whether the validator supports a regular expression.
fn is_pattern(pattern: &str) -> bool {
    jsonschema::draft202012::new(&json!({ "pattern": pattern })).is_ok()
}

/// Returns whether values of a type can match `type`, `const` and `enum` of a schema.
fn is_possible(map: &Map<String, Json>, name: &str) -> bool {
    let typed = match map.get("type") {
        Some(Json::String(only)) => only == name,
        Some(Json::Array(names)) => names.iter().any(|allowed| allowed == name),
        _ => true,
    };
    let is = |value: &Json| match name {
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => value.is_number(),
    };
    let constant = map.get("const").is_none_or(is);
    let listed = match map.get("enum") {
        Some(Json::Array(values)) => values.iter().any(is),
        _ => true,
    };
    typed && constant && listed
}

/// Returns the expected value in words if one of our own keywords has an invalid value. The
/// metaschema does not contain these keywords.
fn expected_value(keyword: &str, value: &Json) -> Option<&'static str> {
    match keyword {
        "x-customer" | "x-pii" | "nullable" if !value.is_boolean() => Some("true or false"),
        "x-precision" | "x-scale" if !value.is_u64() => Some("a non-negative integer"),
        "x-currency" if !value.is_string() => Some("a JSON pointer, such as \"/currency\""),
        "x-date-format" if !value.is_string() => Some("text, such as \"MM/DD/YYYY\""),
        _ => None,
    }
}

/// Returns a name for the definition to which a reference to a file leads.
fn definition_name(reference: &str) -> &str {
    fn last(path: &str) -> &str {
        path.rsplit('/').next().unwrap_or_default()
    }
    let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
    let name = match last(fragment) {
        "" => last(file).split('.').next().unwrap_or_default(),
        name => name,
    };
    if name.is_empty() { "item" } else { name }
}

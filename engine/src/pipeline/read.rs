//! Reads a [`Pipeline`] from a document. The document is validated against the schema, and then
//! each section is read separately, so that a fault in one section does not hide faults in others.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use oms_core::diagnostic::{Finding, Place, Route, Segment, closest, codes};
use oms_core::document::{Document, Node, NodeValue};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::file::{IntakeSection, OrderSection};
use super::mail::MailSection;
use super::schema_fault;
use super::sections::{RatesSection, TableSection};
use super::services::ServiceSection;
use super::settings::SettingSection;
use super::shape_help;
use super::step::StepSection;

/// A named section, such as a step or a table.
#[derive(Clone, Debug)]
pub struct Section<T> {
    /// The name in the file.
    pub name: String,
    /// The route of the section.
    pub route: Route,
    /// The content, or `None` if it does not match the schema and has findings.
    pub section: Option<T>,
}

/// The content of a pipeline file. Missing and invalid parts have findings.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// The name.
    pub name: Option<String>,
    /// The description.
    pub description: Option<String>,
    /// The name of the time zone.
    pub time_zone: Option<String>,
    /// Settings in the order of the file.
    pub settings: Vec<Section<SettingSection>>,
    /// Services in the order of the file.
    pub services: Vec<Section<ServiceSection>>,
    /// The section `order`.
    pub order: Option<OrderSection>,
    /// The section `intake`.
    pub intake: Option<IntakeSection>,
    /// Rate tables in the order of the file.
    pub rates: Vec<Section<RatesSection>>,
    /// Tables in the order of the file.
    pub tables: Vec<Section<TableSection>>,
    /// The section `mail`.
    pub mail: Option<MailSection>,
    /// Steps in the order of the file.
    pub steps: Vec<Section<StepSection>>,
    /// Handlers in the order of the file.
    pub handlers: Option<Vec<Section<Vec<String>>>>,
}

/// Maximum number of steps in a pipeline.
pub const STEPS_MAX: usize = 500;

/// Validates a document against the schema and reads the valid sections.
pub fn read(document: &Document, validator: &Validator, schema: &Json) -> (Pipeline, Vec<Finding>) {
    let json = document.root().to_json();
    let mut findings: Vec<Finding> = Vec::new();
    let mut broken: Vec<Route> = Vec::new();
    if !json.is_object() {
        let message = "the file is not a pipeline: its top level must be a map";
        findings.push(
            Finding::error(codes::WRONG_SHAPE, Place::value(Route::root()), message)
                .help("begin with `oms: 1`".to_owned()),
        );
        return (Pipeline::default(), findings);
    }
    let errors: Vec<ValidationError<'_>> = validator.iter_errors(&json).collect();
    for error in errors.iter().filter(|error| !is_misspelled(error, &errors)) {
        let is_text = matches!(error.kind(), ValidationErrorKind::Pattern { .. });
        for finding in schema_fault::findings(error, document, schema) {
            // A text of the wrong form is still a text, so the rest of the step is checked.
            let route = &finding.primary.0.route;
            if !(is_text && is_setting(route)) {
                broken.push(route.clone());
            }
            findings.push(finding);
        }
    }
    let sections = Sections { root: document.root(), broken };
    let pipeline = Pipeline {
        name: sections.one("name"),
        description: sections.one("description"),
        time_zone: sections.one("time_zone"),
        settings: sections.named("settings"),
        services: sections.named("services"),
        order: sections.one("order"),
        intake: sections.one("intake"),
        rates: sections.named("rates"),
        tables: sections.named("tables"),
        mail: sections.one("mail"),
        steps: sections.named("steps"),
        handlers: document.root().get("handlers").map(|_| sections.named("handlers")),
    };
    if pipeline.steps.len() > STEPS_MAX {
        let message =
            format!("the pipeline has {} steps; the maximum is {STEPS_MAX}", pipeline.steps.len());
        findings.push(Finding::error(
            codes::DOCUMENT_LIMIT,
            Place::key(Route::root().key("steps")),
            message,
        ));
    }
    (pipeline, findings)
}

/// Returns whether a route leads to a setting of a step, below `with`.
fn is_setting(route: &Route) -> bool {
    let key = |segment: &Segment, name: &str| matches!(segment, Segment::Key(key) if key == name);
    match route.segments() {
        [steps, _, with, _, ..] => key(steps, "steps") && key(with, "with"),
        _ => false,
    }
}

/// Returns whether a required key is missing because it is misspelled. Then the finding about the
/// unknown key is enough.
fn is_misspelled(error: &ValidationError<'_>, errors: &[ValidationError<'_>]) -> bool {
    let ValidationErrorKind::Required { property } = error.kind() else { return false };
    let Some(missing) = property.as_str() else { return false };
    errors.iter().any(|other| match other.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            other.instance_path() == error.instance_path()
                && unexpected.iter().any(|found| {
                    closest(found, [missing]).is_some()
                        || shape_help::known_key(found, &[missing]).is_some()
                })
        }
        _ => false,
    })
}

struct Sections<'d> {
    root: &'d Node,
    broken: Vec<Route>,
}

impl Sections<'_> {
    /// Returns whether there is a finding at or below a route.
    fn is_broken(&self, route: &Route) -> bool {
        self.broken.iter().any(|broken| broken.segments().starts_with(route.segments()))
    }

    fn one<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let route = Route::root().key(key);
        let entry = self.root.get(key)?;
        if self.is_broken(&route) || entry.node.value == NodeValue::Null {
            return None;
        }
        // A value that matches the schema also matches the type from which the schema was
        // generated.
        serde_json::from_value(entry.node.to_json()).ok()
    }

    fn named<T: DeserializeOwned>(&self, key: &str) -> Vec<Section<T>> {
        let above = Route::root().key(key);
        let Some(section) = self.root.get(key) else { return Vec::new() };
        section
            .node
            .entries()
            .iter()
            .map(|entry| {
                let route = above.key(&entry.key);
                let section = if self.is_broken(&route) {
                    None
                } else {
                    serde_json::from_value(entry.node.to_json()).ok()
                };
                Section { name: entry.key.clone(), route, section }
            })
            .collect()
    }
}

//! A document to a [`Pipeline`]: checked against the schema, section by section, so that what is
//! broken in one place does not hide what is broken in another.

use jsonschema::error::ValidationErrorKind;
use jsonschema::{ValidationError, Validator};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::file::{IntakeSection, OrderSection};
use super::mail::MailSection;
use super::schema_fault;
use super::sections::{RatesSection, TableSection};
use super::shape_help;
use super::step::StepSection;
use crate::diagnostic::{Finding, Place, Route, Segment, closest, codes};
use crate::document::{Document, Node, NodeValue};

/// A named section, or the fact that it has findings of its own.
#[derive(Clone, Debug)]
pub struct Named<T> {
    /// Its name in the file.
    pub name: String,
    /// Where it stands.
    pub route: Route,
    /// What it says; nothing if that did not fit the schema.
    pub section: Option<T>,
}

/// The pipeline file as it was understood. Missing parts have been reported.
#[derive(Clone, Debug, Default)]
pub struct Pipeline {
    /// The name.
    pub name: Option<String>,
    /// What the pipeline is for.
    pub description: Option<String>,
    /// The name of the time zone in which instants have their days.
    pub time_zone: Option<String>,
    /// The order.
    pub order: Option<OrderSection>,
    /// The intake.
    pub intake: Option<IntakeSection>,
    /// Rate tables in the order of the file.
    pub rates: Vec<Named<RatesSection>>,
    /// Tables in the order of the file.
    pub tables: Vec<Named<TableSection>>,
    /// Mail.
    pub mail: Option<MailSection>,
    /// Steps in the order of the file.
    pub steps: Vec<Named<StepSection>>,
    /// Handlers in the order of the file.
    pub handlers: Option<Vec<Named<Vec<String>>>>,
}

/// Steps of a pipeline at the most.
pub const STEPS_MAX: usize = 500;

/// Checks a document against the schema and reads what fits.
pub fn read(document: &Document, validator: &Validator, schema: &Json) -> (Pipeline, Vec<Finding>) {
    let json = document.root().to_json();
    let mut findings: Vec<Finding> = Vec::new();
    let mut broken: Vec<Route> = Vec::new();
    if !json.is_object() {
        let message = "the file holds no pipeline: its top must be a map";
        findings.push(
            Finding::error(codes::WRONG_SHAPE, Place::value(Route::root()), message)
                .help("begin with `oms: 1`".to_owned()),
        );
        return (Pipeline::default(), findings);
    }
    let errors: Vec<ValidationError<'_>> = validator.iter_errors(&json).collect();
    for error in errors.iter().filter(|error| !is_misspelt(error, &errors)) {
        let is_text = matches!(error.kind(), ValidationErrorKind::Pattern { .. });
        for finding in schema_fault::findings(error, document, schema) {
            // A name of the wrong form is a name: the rest of the step is checked with it.
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
        order: sections.one("order"),
        intake: sections.one("intake"),
        rates: sections.named("rates"),
        tables: sections.named("tables"),
        mail: sections.one("mail"),
        steps: sections.named("steps"),
        handlers: document.root().get("handlers").map(|_| sections.named("handlers")),
    };
    if pipeline.steps.len() > STEPS_MAX {
        let message = format!(
            "a pipeline has at most {STEPS_MAX} steps, and this one has {}",
            pipeline.steps.len()
        );
        findings.push(Finding::error(
            codes::DOCUMENT_LIMIT,
            Place::key(Route::root().key("steps")),
            message,
        ));
    }
    (pipeline, findings)
}

/// Tells whether a route leads to a setting of a step, below `with`.
fn is_setting(route: &Route) -> bool {
    let key = |segment: &Segment, name: &str| matches!(segment, Segment::Key(key) if key == name);
    match route.segments() {
        [steps, _, with, _, ..] => key(steps, "steps") && key(with, "with"),
        _ => false,
    }
}

/// Tells whether a key is missing only because it is misspelt: the unknown key beside it says so
/// already.
fn is_misspelt(error: &ValidationError<'_>, errors: &[ValidationError<'_>]) -> bool {
    let ValidationErrorKind::Required { property } = error.kind() else { return false };
    let Some(missing) = property.as_str() else { return false };
    errors.iter().any(|other| match other.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            other.instance_path() == error.instance_path()
                && unexpected.iter().any(|found| {
                    closest(found, [missing]).is_some()
                        || shape_help::meant(found, &[missing]).is_some()
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
    /// Tells whether something at or below a route was reported.
    fn is_broken(&self, route: &Route) -> bool {
        self.broken.iter().any(|broken| broken.segments().starts_with(route.segments()))
    }

    fn one<T: DeserializeOwned>(&self, key: &str) -> Option<T> {
        let route = Route::root().key(key);
        let entry = self.root.get(key)?;
        if self.is_broken(&route) || entry.node.value == NodeValue::Null {
            return None;
        }
        // What fits the schema fits the type that the schema was made from.
        serde_json::from_value(entry.node.to_json()).ok()
    }

    fn named<T: DeserializeOwned>(&self, key: &str) -> Vec<Named<T>> {
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
                Named { name: entry.key.clone(), route, section }
            })
            .collect()
    }
}

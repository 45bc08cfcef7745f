//! All checks of a pipeline, in their order.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::Validator;
use serde_json::Value as Json;

use super::allowed::Named;
use super::checked::Plan;
use super::choreography::choreography;
use super::semantics::Semantics;
use super::sink::Sink;
use super::{
    allowed, graph, handlers, isolation, lists, mail, order, rates, samples, steps, tables,
    time_zone,
};
use crate::diagnostic::{Diagnostic, Finding, Label, Place, Report, Route, Severity, codes};
use crate::document::{self, FileError, Files, NodeValue, Recorder};
use crate::pipeline::{self, Pipeline, SchemaSource, pipeline_schema};
use crate::step::{Registry, Resources};
use crate::value::Digest;

/// Checks pipelines against a set of kinds.
pub struct Checker {
    registry: Registry,
    schema: Json,
    validator: Validator,
    target: Target,
}

/// Where a pipeline is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// Where one process runs all of it.
    #[default]
    Local,
    /// In one process whose tables are in a PostgreSQL database, where each write is a transaction
    /// of its own.
    Database,
    /// On AWS Lambda, where each handler knows only the order.
    Lambda,
}

/// What a check gave.
pub struct Checked {
    /// The plan, if there is no error.
    pub plan: Option<Plan>,
    /// What was found.
    pub report: Report,
    /// How many steps the file has.
    pub steps: usize,
    /// The intake's path and its label, to be held against other pipelines'.
    pub intake: Option<(String, Label)>,
}

impl Checker {
    /// Gets ready to check pipelines with these kinds.
    ///
    /// # Errors
    /// When the schema that the kinds' settings make is no JSON Schema.
    pub fn new(registry: Registry) -> Result<Self, String> {
        let schema = pipeline_schema(&registry.schemas());
        let validator = jsonschema::draft202012::new(&schema).map_err(|error| error.to_string())?;
        Ok(Self { registry, schema, validator, target: Target::default() })
    }

    /// Checks for a target, too, what cannot run there.
    #[must_use]
    pub fn for_target(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// Returns the JSON Schema of the pipeline file.
    pub const fn schema(&self) -> &Json {
        &self.schema
    }

    /// Returns the kinds.
    pub const fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Checks the pipeline in the file `name`, which `files` has, together with all that it names.
    pub fn check(&self, name: &str, files: &dyn Files) -> Checked {
        self.check_files(name, files, None)
    }

    /// Checks a stored bundle: without samples and seeds, which are not part of it, and without the
    /// refusals that are newer than it may be. Its runs go on with the semantics that they started
    /// with.
    pub fn check_bundle(&self, name: &str, files: &dyn Files, semantics: Semantics) -> Checked {
        self.check_files(name, files, Some(semantics))
    }

    fn check_files(&self, name: &str, files: &dyn Files, bundle: Option<Semantics>) -> Checked {
        let path = files.shown(name);
        let recorder = Recorder::new(files);
        let bytes = match recorder.read(name) {
            Ok(bytes) => bytes,
            Err(error) => {
                let label = Label {
                    path: Arc::clone(&path),
                    span: 0..0,
                    text: String::new(),
                    primary: true,
                };
                return failed(
                    Diagnostic {
                        code: codes::FILE_UNREADABLE,
                        severity: Severity::Error,
                        message: format!("the pipeline cannot be read: {error}"),
                        labels: vec![label],
                        help: None,
                    },
                    &path,
                    &"".into(),
                );
            }
        };
        let document = match document::parse(&path, &bytes) {
            Ok(document) => document,
            Err((text, diagnostic)) => return failed(*diagnostic, &path, &text),
        };
        let mut sink = Sink::new(&document, bundle.is_some());
        let (pipeline, findings) = pipeline::read(&document, &self.validator, &self.schema);
        for finding in findings {
            sink.add(finding);
        }
        let steps = pipeline.steps.len();
        let intake = pipeline.intake.as_ref().map(|intake| {
            let place = Place::value(Route::root().key("intake").key("path"));
            let span = document.span(&place);
            let label = Label {
                path: Arc::clone(&path),
                span,
                text: "this path".to_owned(),
                primary: true,
            };
            (intake.path.clone(), label)
        });
        let data = bundle.is_none().then_some(files);
        let semantics = bundle.unwrap_or(Semantics::CURRENT);
        let schema = match pipeline.order.as_ref().map(|order| &order.schema) {
            Some(SchemaSource::File(path)) => Some(path.clone()),
            _ => None,
        };
        let mut named = Named::templates(&pipeline, files);
        let plan = self.plan(pipeline, &mut sink, data, recorder, semantics);
        let mut report = sink.report;
        let schema = schema.map(|path| (files.shown(&path), files.read(&path)));
        if let Some((path, _)) = &schema {
            let place = Place::value(Route::root().key("order").key("schema"));
            named.push(Named::file(Arc::clone(path), place));
        }
        allowed::apply(&document, &named, &mut report);
        if let Some((path, Ok(bytes))) = &schema
            && let Ok(document) = document::parse(path, bytes)
        {
            allowed::apply(&document, &[], &mut report);
        }
        report.sort();
        Checked { plan: plan.filter(|_| report.is_ok()), report, steps, intake }
    }

    fn plan(
        &self,
        pipeline: Pipeline,
        sink: &mut Sink<'_>,
        data: Option<&dyn Files>,
        recorder: Recorder<'_>,
        semantics: Semantics,
    ) -> Option<Plan> {
        let time_zone = time_zone::check(&pipeline, sink);
        let is_unreadable = |section: &&'static str| {
            let entry = sink.document.root().get(section);
            entry.is_some_and(|entry| !matches!(entry.node.value, NodeValue::Map(_)))
        };
        let unreadable = ["tables", "rates"].into_iter().filter(is_unreadable).collect();
        let mut resources = Resources { time_zone, unreadable, ..Resources::default() };
        let declared = tables::check(&pipeline, sink, &mut resources);
        rates::check(&pipeline, sink, &recorder, &mut resources, semantics);
        mail::check(&pipeline, sink, &recorder, &mut resources);
        let order = order::check(&pipeline, &resources.time_zone, sink, &recorder, semantics);
        if let Some(order) = &order {
            tables::check_customers(&declared, order, sink);
        }
        let graph = graph::check(&pipeline, sink);
        let planned = steps::check(steps::Inputs {
            pipeline: &pipeline,
            graph: &graph,
            registry: &self.registry,
            resources: &resources,
            order: order.as_ref(),
            files: &recorder,
            sink: &mut *sink,
        });
        if let (Some(order), Some(steps)) = (&order, &planned)
            && !sink.has_error(codes::ORDER_SCHEMA)
        {
            lists::check(&pipeline, order, steps, sink, &recorder);
        }
        let handlers = handlers::check(&pipeline, &graph, sink);
        let mut samples = Vec::new();
        if let Some(files) = data {
            tables::check_seeds(&declared, sink, files);
            samples = samples::check(&pipeline, order.as_ref(), sink, files);
        }
        if !sink.report.is_ok() {
            return None;
        }
        let files = recorder.into_read();
        let steps = planned?;
        let plan = Plan {
            name: Arc::from(pipeline.name?),
            description: pipeline.description,
            time_zone: resources.time_zone,
            order: order?,
            intake: pipeline.intake,
            tables: declared.iter().map(|declared| Arc::clone(&declared.table)).collect(),
            seeds: declared.into_iter().filter_map(tables::Declared::into_seed).collect(),
            rates: resources.rates.into_values().flatten().collect(),
            mail: resources.mail,
            contended: isolation::contended(&steps),
            dependent_upserts: isolation::dependent_upserts(&steps),
            steps,
            handlers: handlers?,
            samples,
            digest: bundle_digest(&files, semantics),
            files,
            semantics,
        };
        for finding in isolation::outdated(&plan) {
            sink.add(finding);
        }
        if self.target != Target::Local {
            for finding in isolation::several_writes(&plan) {
                sink.add(finding);
            }
        }
        if self.target == Target::Lambda {
            for finding in choreography(&plan).err().into_iter().flatten() {
                sink.add(finding);
            }
        }
        Some(plan)
    }
}

fn failed(diagnostic: Diagnostic, path: &Arc<str>, text: &Arc<str>) -> Checked {
    let mut report = Report::new();
    report.add_source(path, text);
    report.push(diagnostic);
    Checked { plan: None, report, steps: 0, intake: None }
}

/// Computes the digest of a bundle. The first semantics add nothing to it, so that the bundles of
/// the first version keep theirs.
fn bundle_digest(files: &BTreeMap<String, Arc<[u8]>>, semantics: Semantics) -> Digest {
    let number = semantics.number().to_be_bytes();
    let suffix = (semantics != Semantics::FIRST).then_some(&number[..]);
    let files = files.iter().flat_map(|(path, bytes)| [path.as_bytes(), bytes.as_ref()]);
    Digest::of_parts(files.chain(suffix))
}

/// Finds pipelines that want the same intake path; `{key}` stands for anything, so `/{key}` of one
/// and of another are the same.
pub fn overlapping_intakes(checked: &[Checked]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (position, first) in checked.iter().enumerate() {
        for second in checked.iter().skip(position + 1) {
            let (Some((a, first)), Some((b, second))) = (&first.intake, &second.intake) else {
                continue;
            };
            if a == b {
                found.push(Diagnostic {
                    code: codes::INTAKE_PATH,
                    severity: Severity::Error,
                    message: format!("two pipelines take orders at `{a}`"),
                    labels: vec![second.clone(), Label { primary: false, ..first.clone() }],
                    help: Some("give one of them another path".to_owned()),
                });
            }
        }
    }
    found
}

impl Sink<'_> {
    /// Adds a finding about a file that the pipeline names at `place`.
    pub(super) fn unreadable(&mut self, place: Place, shown: &str, error: &FileError) {
        let message = format!("`{shown}` cannot be used: {error}");
        let help = (*error == FileError::Missing)
            .then(|| "paths are relative to the pipeline file".to_owned());
        self.add(Finding::error(codes::FILE_UNREADABLE, place, message).help(help));
    }

    /// Adds a finding about a file whose bytes are no text.
    pub(super) fn not_text(&mut self, place: Place, shown: &str) {
        let message = format!("`{shown}` cannot be used: it is not UTF-8 text");
        self.add(
            Finding::error(codes::FILE_UNREADABLE, place, message)
                .help("save the file as UTF-8".to_owned()),
        );
    }
}

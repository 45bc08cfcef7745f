//! Runs all checks of a pipeline.

use std::collections::BTreeMap;
use std::sync::Arc;

use jsonschema::{ValidationError, Validator};
use oms_core::diagnostic::{Diagnostic, Finding, Label, Place, Report, Route, Severity, codes};
use oms_core::document::{self, FileError, Files, NodeValue, Recorder};
use oms_core::value::Digest;
use serde_json::Value as Json;

use super::allowed::NamedFile;
use super::checked::Plan;
use super::choreography::choreography;
use super::semantics::Semantics;
use super::settings::{self, Environment};
use super::sink::Sink;
use super::{
    allowed, graph, handlers, ignore, isolation, lists, mail, order, rates, samples, services,
    steps, tables, time_zone, webhooks,
};
use crate::pipeline::{self, IntakeSection, Pipeline, SchemaSource, pipeline_schema};
use crate::step::{Registry, Resources};

/// Checks pipelines against a set of kinds.
pub struct Checker {
    registry: Registry,
    schema: Json,
    validator: Validator,
    target: Target,
    environment: Option<Environment>,
}

/// The settings of a step kind result in an invalid JSON Schema.
#[derive(Debug, thiserror::Error)]
#[error("the settings of a step kind have no valid schema")]
pub struct InvalidKindSchema(#[source] Box<ValidationError<'static>>);

/// The target on which a pipeline is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Target {
    /// A single process.
    #[default]
    Local,
    /// A single process with its tables in a PostgreSQL database, where each write is a separate
    /// transaction.
    Database,
    /// AWS Lambda, where each handler receives only the order.
    Lambda,
}

/// The result of a check.
pub struct Checked {
    /// The plan, if there are no errors.
    pub plan: Option<Plan>,
    /// The findings.
    pub report: Report,
    /// The number of steps in the file.
    pub steps: usize,
    /// The intake and the label of its path, for comparison with the paths of other pipelines.
    pub intake: Option<(IntakeSection, Label)>,
}

impl Checker {
    /// Creates a checker for pipelines with these kinds.
    ///
    /// # Errors
    /// Returns an error if the settings of a kind result in an invalid JSON Schema.
    pub fn new(registry: Registry) -> Result<Self, InvalidKindSchema> {
        let schema = pipeline_schema(&registry.schemas());
        let validator = jsonschema::draft202012::new(&schema)
            .map_err(|error| InvalidKindSchema(Box::new(error)))?;
        let (target, environment) = (Target::default(), None);
        Ok(Self { registry, schema, validator, target, environment })
    }

    /// Makes the checker also report what cannot run on a target.
    #[must_use]
    pub fn for_target(mut self, target: Target) -> Self {
        self.target = target;
        self
    }

    /// Sets the environment variables from which settings get their values. Otherwise, only
    /// defaults apply.
    #[must_use]
    pub fn in_environment(mut self, environment: Environment) -> Self {
        self.environment = Some(environment);
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

    /// Checks the pipeline in the file `name`, together with all files that it refers to.
    pub fn check(&self, name: &str, files: &dyn Files) -> Checked {
        self.check_files(name, files, None)
    }

    /// Checks a stored bundle. Samples and seeds are not part of a bundle, so they are not checked.
    /// Findings that are marked as newly refused are left out, because the version that stored the
    /// bundle accepted it. Its runs continue with the semantics with which they started.
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
                        message: format!("cannot read the pipeline: {error}"),
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
            (intake.clone(), label)
        });
        let data = bundle.is_none().then_some(files);
        let semantics = bundle.unwrap_or(Semantics::CURRENT);
        let schema = match pipeline.order.as_ref().map(|order| &order.schema) {
            Some(SchemaSource::File(path)) => Some(path.clone()),
            _ => None,
        };
        let mut named = NamedFile::templates(&pipeline, files);
        let plan = self.plan(pipeline, &mut sink, data, recorder, semantics);
        let mut report = sink.report;
        let schema = schema.map(|path| (files.shown(&path), files.read(&path)));
        if let Some((path, _)) = &schema {
            let place = Place::value(Route::root().key("order").key("schema"));
            named.push(NamedFile::file(Arc::clone(path), place));
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
        let unreadable =
            ["tables", "rates", "settings", "services"].into_iter().filter(is_unreadable).collect();
        let mut resources = Resources { time_zone, unreadable, ..Resources::default() };
        let declared = tables::check(&pipeline, sink, &mut resources);
        let mut unset = Vec::new();
        let source = match data {
            Some(_) => settings::Source::Environment(self.environment.as_ref()),
            None => settings::Source::Bundle,
        };
        if self.target == Target::Lambda {
            settings::check_lambda(&pipeline, sink);
        }
        resources.settings = settings::check(&pipeline, sink, &recorder, source, &mut unset);
        rates::check(&pipeline, sink, &recorder, &mut resources, semantics);
        mail::check(&pipeline, sink, &recorder, &mut resources);
        services::check(&pipeline, sink, &mut resources);
        let order = order::check(&pipeline, &resources.time_zone, sink, &recorder, semantics);
        if let Some(order) = &order {
            tables::check_customers(&declared, order, sink);
            webhooks::check(&pipeline, order, sink);
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
        settings::check_used(&pipeline, sink);
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
            services: resources.services.into_values().flatten().collect(),
            settings: resources.settings,
            unset,
            contended: isolation::contended(&steps),
            dependent_upserts: isolation::dependent_upserts(&steps),
            steps,
            handlers: handlers?,
            samples,
            digest: bundle_digest(&files, semantics),
            files,
            semantics,
        };
        for finding in isolation::outdated(&plan).into_iter().chain(ignore::check_used(&plan)) {
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

/// Computes the digest of a bundle. The first semantics do not change the digest, so that bundles
/// of the first version keep their digests.
fn bundle_digest(files: &BTreeMap<String, Arc<[u8]>>, semantics: Semantics) -> Digest {
    let number = semantics.number().to_be_bytes();
    let suffix = (semantics != Semantics::FIRST).then_some(&number[..]);
    let files = files.iter().flat_map(|(path, bytes)| [path.as_bytes(), bytes.as_ref()]);
    Digest::of_parts(files.chain(suffix))
}

/// Finds pipelines with the same intake path.
pub fn overlapping_intakes(checked: &[Checked]) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (position, first) in checked.iter().enumerate() {
        for second in checked.iter().skip(position + 1) {
            let (Some((a, first)), Some((b, second))) = (&first.intake, &second.intake) else {
                continue;
            };
            if a.collection() == b.collection() {
                found.push(Diagnostic {
                    code: codes::INTAKE_PATH,
                    severity: Severity::Error,
                    message: format!("two pipelines use the intake path `{}`", b.path),
                    labels: vec![second.clone(), Label { primary: false, ..first.clone() }],
                    help: Some("change one of the two paths".to_owned()),
                });
            }
        }
    }
    found
}

impl Sink<'_> {
    /// Adds a finding about a file that the pipeline refers to at `place`.
    pub(super) fn unreadable(&mut self, place: Place, shown: &str, error: &FileError) {
        let message = format!("cannot read `{shown}`: {error}");
        let help = (*error == FileError::Missing)
            .then(|| "use a path relative to the pipeline file".to_owned());
        self.add(Finding::error(codes::FILE_UNREADABLE, place, message).help(help));
    }

    /// Adds a finding about a file that is not UTF-8 text.
    pub(super) fn not_text(&mut self, place: Place, shown: &str) {
        let message = format!("cannot read `{shown}`: the file is not UTF-8 text");
        self.add(
            Finding::error(codes::FILE_UNREADABLE, place, message)
                .help("save the file as UTF-8".to_owned()),
        );
    }
}

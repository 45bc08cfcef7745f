//! Plans the steps. A step is planned after the steps to which it refers, so that the types of
//! their outputs are known.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use oms_core::diagnostic::{Finding, Place, Route, Severity, codes};
use oms_core::document::Files;
use oms_core::value::{JsonNode, RecordType, Shape, Type};
use oms_expression::{
    Compiled, ELEMENTS_MAX, Facts, Level, Origin, Problem, Root, Scope, StepVar, references,
};
use oms_template::Template;
use serde_json::Value as Json;

use super::checked::{ForEach, Need, PlannedStep};
use super::element_names;
use super::graph::Graph;
use super::order::OrderPlan;
use super::reachability::{Reachability, Unreachable};
use super::retry;
use super::sink::Sink;
use crate::pipeline::{Allow, ForEachSection, Pipeline, Section, StepSection};
use crate::step::{Fault, PlanContext, Registry, Resources};

/// The inputs for planning the steps.
pub(super) struct Inputs<'a, 'd> {
    pub(super) pipeline: &'a Pipeline,
    pub(super) graph: &'a Graph,
    pub(super) registry: &'a Registry,
    pub(super) resources: &'a Resources,
    pub(super) order: Option<&'a OrderPlan>,
    pub(super) files: &'a dyn Files,
    pub(super) sink: &'a mut Sink<'d>,
}

const WRITE_CONDITION: &str =
    "write an expression that is true or false, such as `${{ order.amount > 0 }}`";

/// Plans all steps. Returns `None` if one of them cannot be planned.
pub(super) fn check(inputs: Inputs<'_, '_>) -> Option<Vec<PlannedStep>> {
    let count = inputs.pipeline.steps.len();
    let mut planner = Planner {
        templates: RefCell::default(),
        outputs: vec![None; count],
        reachability: Reachability::new(count),
        ids: Arc::new(inputs.pipeline.steps.iter().map(|step| step.name.clone()).collect()),
        inputs,
        planned: (0..count).map(|_| None).collect(),
    };
    for at in planner.inputs.graph.order.clone() {
        planner.step(at);
    }
    planner.planned.into_iter().collect()
}

struct Planner<'a, 'd> {
    inputs: Inputs<'a, 'd>,
    templates: RefCell<BTreeMap<String, Arc<Template>>>,
    /// The type of each planned step's output. With `for_each`, this is a list.
    outputs: Vec<Option<Type>>,
    reachability: Reachability,
    ids: Arc<BTreeSet<String>>,
    planned: Vec<Option<PlannedStep>>,
}

/// Returns the record type of `run`: `accepted_at`, `id`, `key`.
pub(crate) fn run_record() -> Arc<RecordType> {
    static TYPE: LazyLock<Arc<RecordType>> = LazyLock::new(|| {
        let text = |chars| Type::of(Shape::Text { chars_max: Some(chars), values: None });
        Arc::new(RecordType::new([
            (Arc::from("key"), text(256)),
            (Arc::from("id"), text(32)),
            (Arc::from("accepted_at"), Type::of(Shape::Timestamp)),
        ]))
    });
    Arc::clone(&TYPE)
}

/// Returns the record type of `error`: `cause`, `message`, `step`.
pub(crate) fn error_record() -> Arc<RecordType> {
    static TYPE: LazyLock<Arc<RecordType>> = LazyLock::new(|| {
        let names = ["step", "cause", "message"];
        Arc::new(RecordType::new(names.map(|name| (Arc::from(name), Type::text()))))
    });
    Arc::clone(&TYPE)
}

impl Planner<'_, '_> {
    fn step(&mut self, at: usize) {
        let pipeline = self.inputs.pipeline;
        let Some(named) = pipeline.steps.get(at) else { return };
        let Some(section) = &named.section else { return };
        let mut scope = self.scope(at);
        let mut valid = true;
        let when = section.when.as_ref().map(|when| {
            let compiled = self.when(when, named, section.for_each.as_ref(), &scope);
            valid &= compiled.is_some();
            if let Some(compiled) = &compiled {
                scope = scope.assume(&compiled.facts());
            }
            compiled
        });
        let facts = when.iter().flatten().next().map(Compiled::facts);
        let can_run = self.reachable(at, named, facts);
        let for_each = section.for_each.as_ref().map(|each| {
            let route = named.route.key("for_each").key("items");
            let compiled = self.items(&each.items, &route, &scope);
            let route = named.route.key("for_each");
            element_names::check(each, &route, self.inputs.resources, self.inputs.sink);
            scope.name_item(&each.name);
            if let Some(index) = &each.index {
                scope.name_index(index);
            }
            match &compiled {
                Some((_, element)) => scope.define(Root::Item, element.clone()),
                None => valid = false,
            }
            compiled.map(|(items, _)| ForEach { items, max_concurrency: each.max_concurrency })
        });
        // Without the type of the element, the settings cannot be checked.
        if for_each.as_ref().is_some_and(Option::is_none) {
            return;
        }
        let Some(kind) = self.inputs.registry.get(&section.uses) else { return };
        let mut cx = PlanContext {
            step_id: &named.name,
            scope: &scope,
            resources: self.inputs.resources,
            files: self.inputs.files,
            templates: &self.templates,
            order_key_path: self.inputs.order.and_then(OrderPlan::key_path),
            each_element: for_each.is_some(),
            faults: Vec::new(),
            fields: Vec::new(),
            late: Vec::new(),
            broken: false,
        };
        let config = if section.with.is_null() {
            Json::Object(serde_json::Map::new())
        } else {
            section.with.clone()
        };
        let planned = kind.plan(config, &mut cx);
        let warnings = std::mem::take(&mut cx.faults);
        let unchecked = self.unchecked(section);
        // Further warnings about a step that never runs are not helpful.
        let warnings = if can_run { warnings } else { errors(warnings) };
        self.report(named, without_unknown_settings(warnings, &unchecked));
        let planned = match planned {
            Ok(planned) => planned,
            Err(faults) => {
                self.report(named, without_unknown_settings(faults, &unchecked));
                return;
            }
        };
        let Some(retry) = retry::check(named, section, &planned, self.inputs.sink) else { return };
        if !valid {
            return;
        }
        let graph = self.inputs.graph;
        let output = if for_each.is_some() {
            Type::list_of_at_most(planned.output.clone(), Some(ELEMENTS_MAX as u64))
        } else {
            planned.output.clone()
        };
        let stored = JsonNode::stored(&planned.output);
        if let (Some(known), Some(slot)) = (self.outputs.get_mut(at), self.planned.get_mut(at)) {
            *known = Some(output);
            *slot = Some(PlannedStep {
                id: Arc::from(named.name.as_str()),
                kind: kind.name(),
                needs: graph.needs.get(at).cloned().unwrap_or_default(),
                when: when.flatten(),
                for_each: for_each.flatten(),
                retry,
                timeout: section.timeout_seconds.map(|seconds| Duration::from_secs(seconds.into())),
                caught_by: graph.caught_by.get(at).copied().flatten(),
                catches: graph.catches.get(at).cloned().unwrap_or_default(),
                input: planned.input,
                step: planned.step,
                output: planned.output,
                stored,
                effects: planned.effects,
            });
        }
    }

    /// Returns the names that a step can use: the order, the run, and the outputs of the steps that
    /// it needs.
    fn scope(&self, at: usize) -> Scope {
        let mut scope = Scope::new(self.inputs.resources.time_zone.clone());
        scope.set_step_ids(Arc::clone(&self.ids));
        if let Some(order) = self.inputs.order {
            scope.define(Root::Order, order.schema().ty().clone());
        } else {
            // The order has its own findings, so references to it are not checked.
            scope.define(Root::Order, Type::of(Shape::Broken));
        }
        scope.define(Root::Run, self.run());
        if let Some(settings) = &self.inputs.resources.settings {
            settings.define(&mut scope);
        }
        if let Some(error) = self.error(at) {
            scope.define(Root::Error, error);
        } else if self.inputs.pipeline.steps.iter().any(|named| named.section.is_none()) {
            // A step with findings may be the one whose failure this step catches.
            scope.define(Root::Error, Type::of(Shape::Broken));
        }
        for need in self.inputs.graph.needs.get(at).into_iter().flatten() {
            let Some(named) = self.inputs.pipeline.steps.get(need.step) else { continue };
            let var = match self.outputs.get(need.step).cloned().flatten() {
                Some(ty) => {
                    let surely = !need
                        .allow
                        .iter()
                        .any(|allow| matches!(allow, Allow::Skipped | Allow::Failed));
                    let ty = if surely { ty } else { ty.or_null() };
                    StepVar::Known { index: need.step, ty }
                }
                None => StepVar::Broken,
            };
            scope.step(&named.name, var);
        }
        // An unknown step was already reported, so expressions with its output are not checked.
        let section = self.inputs.pipeline.steps.get(at).and_then(|named| named.section.as_ref());
        let parts = section.into_iter().flat_map(|section| {
            let items = section.for_each.as_ref().map(|each| &each.items);
            [Some(&section.with), section.when.as_ref(), items].into_iter().flatten()
        });
        for reference in parts.flat_map(references) {
            if !self.inputs.pipeline.steps.iter().any(|named| named.name == reference.step) {
                scope.step(&reference.step, StepVar::Broken);
            }
        }
        scope
    }

    /// Returns the type of `error` in a catch step. If it catches several steps, `error.step` is
    /// the id of one of them.
    fn error(&self, at: usize) -> Option<Type> {
        let caught = self.inputs.graph.catches.get(at)?;
        if caught.len() < 2 {
            let record = error_record();
            return (!caught.is_empty()).then(|| Type::of(Shape::Record(record)));
        }
        let steps = caught.iter().filter_map(|step| self.inputs.pipeline.steps.get(*step));
        let ids: Arc<[Arc<str>]> = steps.map(|step| Arc::from(step.name.as_str())).collect();
        let step = Type::of(Shape::Text { chars_max: None, values: Some(ids) });
        let record = error_record();
        let fields = record.fields().iter().map(|field| {
            let ty = if &*field.name == "step" { step.clone() } else { field.ty.clone() };
            (Arc::clone(&field.name), ty)
        });
        Some(Type::of(Shape::Record(Arc::new(RecordType::new(fields)))))
    }

    /// Returns the type of `run`. If the order key is a field of the order, the key has the maximum
    /// length of this field.
    fn run(&self) -> Type {
        let record = run_record();
        let key = self.inputs.order.and_then(|order| {
            let mut names = order.key_path()?.split('.');
            let root = names.next().filter(|root| *root == Root::Order.as_str());
            let order = root.map(|_| order.schema().ty())?;
            names.try_fold(order, |ty, name| Some(&ty.as_record()?.field(name)?.ty))
        });
        let chars = key.and_then(oms_expression::chars_of).flatten();
        let fields = record.fields().iter().map(|field| {
            let known = field.ty.chars_max().filter(|_| field.name.as_ref() == "key");
            let ty = match known.zip(chars) {
                Some((known, chars)) => {
                    Type::of(Shape::Text { chars_max: Some(known.min(chars)), values: None })
                }
                None => field.ty.clone(),
            };
            (Arc::clone(&field.name), ty)
        });
        Type::of(Shape::Record(Arc::new(RecordType::new(fields))))
    }

    /// Returns the settings that use the output of a step that is unknown or could not be planned.
    fn unchecked(&self, section: &StepSection) -> Vec<Route> {
        let steps = &self.inputs.pipeline.steps;
        let is_known = |id: &str| {
            let at = steps.iter().position(|named| named.name == id);
            at.and_then(|at| self.outputs.get(at)).is_some_and(Option::is_some)
        };
        references(&section.with)
            .into_iter()
            .filter(|reference| !is_known(&reference.step))
            .map(|reference| reference.route)
            .collect()
    }

    /// Compiles a condition or a list. Returns `None` after reporting a fault in it.
    fn compile(
        &mut self,
        json: &Json,
        route: &Route,
        scope: &Scope,
        explain: impl Fn(&mut Problem),
    ) -> Option<Compiled> {
        let (compiled, mut problems) = match oms_expression::compile_value(json, None, scope) {
            Ok(mut compiled) => {
                let mut notes = compiled.take_notes();
                // A text instead of a condition or a list is rejected anyway.
                notes.retain(|note| note.code != codes::MISSING_BRACES);
                (Some(compiled).filter(|compiled| !compiled.is_broken()), notes)
            }
            Err(problems) => (None, problems),
        };
        problems.iter_mut().for_each(explain);
        let faults =
            problems.into_iter().map(|problem| Fault::of_problem(problem, route)).collect();
        self.report_at(&Route::root(), faults);
        compiled
    }

    /// Warns about a step that can never run. Returns whether the step can run.
    fn reachable(&mut self, at: usize, named: &Section<StepSection>, facts: Option<Facts>) -> bool {
        let graph = self.inputs.graph;
        let needs = graph.needs.get(at).map(Vec::as_slice).unwrap_or_default();
        let catches = graph.catches.get(at).map(Vec::as_slice).unwrap_or_default();
        let name = &named.name;
        let finding = match self.reachability.add(at, needs, catches, facts) {
            None => return true,
            Some(Unreachable::Inherited) => return false,
            Some(Unreachable::Condition) => {
                let message = format!("`{name}` can never run: its condition is always false");
                let place = Place::value(named.route.key("when"));
                Finding::warning(codes::UNREACHABLE_STEP, place, message)
                    .help("correct the condition, or delete the step".to_owned())
            }
            Some(Unreachable::Exclusive(steps)) => {
                let message =
                    format!("`{name}` can never run: these conditions exclude each other");
                let place = Place::key(named.route.clone());
                let mut finding = Finding::warning(codes::UNREACHABLE_STEP, place, message);
                for step in &steps {
                    let Some(other) = self.inputs.pipeline.steps.get(*step) else { continue };
                    let text = if *step == at {
                        format!("`{name}` runs only if this is true")
                    } else {
                        format!("`{name}` needs `{}`, which runs only if this is true", other.name)
                    };
                    finding = finding.related(Place::value(other.route.key("when")), text);
                }
                finding.help(self.without_skipped(needs, &steps))
            }
        };
        self.inputs.sink.add(finding);
        false
    }

    /// Returns the help text that explains how to run a step even if steps that it needs are
    /// skipped.
    fn without_skipped(&self, needs: &[Need], conditions: &[usize]) -> String {
        let responsible = self.reachability.responsible(needs, conditions);
        let name = |step: &usize| self.inputs.pipeline.steps.get(*step).map(|named| &named.name);
        let entries: Vec<String> = responsible
            .iter()
            .filter_map(name)
            .map(|id| format!("{{ step: {id}, allow: [skipped] }}"))
            .collect();
        if entries.is_empty() {
            return "change one of the conditions".to_owned();
        }
        format!(
            "write `needs: [{}]` to run the step even if a needed step is skipped",
            entries.join(", ")
        )
    }

    fn when(
        &mut self,
        when: &Json,
        named: &Section<StepSection>,
        each: Option<&ForEachSection>,
        scope: &Scope,
    ) -> Option<Compiled> {
        let route = named.route.key("when");
        let of_element = |name: &str| {
            each.is_some_and(|each| each.name == name || each.index.as_deref() == Some(name))
        };
        let compiled = self.compile(when, &route, scope, |problem| {
            let at = problem.within.clone().and_then(|within| when.as_str()?.get(within));
            if let (codes::MAY_BE_MISSING, Some(at)) = (problem.code, at) {
                let at = oms_expression::operand(at, Level::Sum);
                problem.help = Some(format!("guard it: `{at} != null && …`"));
            }
            if problem.code == codes::UNKNOWN_NAME && at.is_some_and(of_element) {
                problem.help = Some(
                    "filter the list in `items` instead; the condition is evaluated once for the step, not for each element"
                        .to_owned(),
                );
            }
        })?;
        let place = Place::value(route);
        if compiled.ty().shape != Shape::Bool || compiled.ty().nullable {
            let what =
                if is_plain_text(when) { "text".to_owned() } else { compiled.ty().to_string() };
            let message = format!("`when` must be a condition, not {what}");
            let help = match (when.as_str(), compiled.path()) {
                (Some(text), _) if is_plain_text(when) => {
                    match oms_expression::suggested_expression(text, scope) {
                        Some(code) => format!("write `${{{{ {code} }}}}`"),
                        None => WRITE_CONDITION.to_owned(),
                    }
                }
                (_, Some(path)) if compiled.ty().shape == Shape::Bool => {
                    format!("write `${{{{ {path} == true }}}}`, which is false if it is missing")
                }
                _ => WRITE_CONDITION.to_owned(),
            };
            self.inputs
                .sink
                .add(Finding::error(codes::WHEN_NOT_BOOLEAN, place, message).help(help));
            return None;
        }
        if compiled.is_always_true() {
            let message = format!("the condition of `{}` is always true", named.name);
            self.inputs.sink.add(
                Finding::warning(codes::UNREACHABLE_STEP, place, message)
                    .label("has no effect")
                    .help("remove `when`, or correct the condition".to_owned()),
            );
        }
        Some(compiled)
    }

    fn items(&mut self, items: &Json, route: &Route, scope: &Scope) -> Option<(Compiled, Type)> {
        let compiled = self.compile(items, route, scope, |_| {})?;
        match &compiled.ty().shape {
            Shape::List(element) if !compiled.ty().nullable => {
                let element = element.as_ref().clone();
                let path = compiled.path().filter(|path| path.starts_with("steps."));
                if let Some((message, help)) =
                    path.and_then(|path| oms_expression::too_long(path, compiled.ty()))
                {
                    self.inputs.sink.add(
                        Finding::warning(codes::LIST_LIMIT, Place::value(route.clone()), message)
                            .help(help),
                    );
                }
                Some((compiled, element))
            }
            _ => {
                let what = if is_plain_text(items) {
                    "text".to_owned()
                } else {
                    compiled.ty().to_string()
                };
                let message = format!("`for_each` needs a list, not {what}");
                let help = match items.as_str() {
                    Some(text) if is_plain_text(items) => {
                        Some(match oms_expression::suggested_expression(text, scope) {
                            Some(code) => format!("write `${{{{ {code} }}}}`"),
                            None => {
                                "write an expression that is a list, such as `${{ order.items }}`"
                                    .to_owned()
                            }
                        })
                    }
                    _ => compiled.ty().nullable.then(|| {
                        let list = compiled.path().unwrap_or("list");
                        format!(
                            "write `${{{{ coalesce({list}, []) }}}}` for a list that may be missing"
                        )
                    }),
                };
                self.inputs.sink.add(
                    Finding::error(codes::NOT_A_LIST, Place::value(route.clone()), message)
                        .help(help),
                );
                None
            }
        }
    }

    fn report(&mut self, named: &Section<StepSection>, faults: Vec<Fault>) {
        self.report_at(&named.route.key("with"), faults);
    }

    fn report_at(&mut self, base: &Route, faults: Vec<Fault>) {
        for fault in faults {
            match fault {
                Fault::Setting { mut finding, origin } => {
                    let at = &mut finding.primary.0;
                    at.route = base.join(&at.route);
                    for (place, _) in &mut finding.related {
                        place.route = base.join(&place.route);
                    }
                    let finding = match origin {
                        Some(origin) => self.with_origin(*finding, &origin),
                        None => *finding,
                    };
                    self.inputs.sink.add(finding);
                }
                Fault::OtherFile { diagnostic, source } => {
                    if let Some((path, text)) = source {
                        self.inputs.sink.report.add_source(&path, &text);
                    }
                    self.inputs.sink.report.push(*diagnostic);
                }
            }
        }
    }

    /// Adds a label at the origin of the offending value.
    fn with_origin(&self, finding: Finding, origin: &Origin) -> Finding {
        match origin {
            Origin::Step { index, field } => {
                let Some(named) = self.inputs.pipeline.steps.get(*index) else { return finding };
                let place = Place::value(named.route.key("uses"));
                let what =
                    if field.is_empty() { "its output".to_owned() } else { format!("`{field}`") };
                finding.related(place, format!("{what} is produced here"))
            }
            // A label at the whole schema of the order would not help.
            Origin::Order { path } if path.is_empty() => finding,
            Origin::Order { path } => {
                let route = Route::root().key("order").key("schema");
                let mut place = route.clone();
                for name in path.split('.').filter(|name| !name.is_empty()) {
                    place = place.key("properties").key(name);
                }
                let inline = self.inputs.sink.document.root().find(&place).is_some();
                let text = format!("`{path}` is declared here");
                if inline {
                    finding.related(Place::key(place), text)
                } else {
                    finding.related(
                        Place::value(route),
                        format!("`{path}` is declared in this schema"),
                    )
                }
            }
        }
    }
}

/// Drops the faults of settings whose values are unknown. The cause was already reported.
fn without_unknown_settings(faults: Vec<Fault>, unchecked: &[Route]) -> Vec<Fault> {
    let is_about = |fault: &Fault| match fault {
        Fault::Setting { finding, .. } => {
            let place = &finding.primary.0;
            place.within.is_none() && unchecked.contains(&place.route)
        }
        Fault::OtherFile { .. } => false,
    };
    faults.into_iter().filter(|fault| !is_about(fault)).collect()
}

fn errors(faults: Vec<Fault>) -> Vec<Fault> {
    let is_error = |fault: &Fault| match fault {
        Fault::Setting { finding, .. } => finding.severity == Severity::Error,
        Fault::OtherFile { diagnostic, .. } => diagnostic.severity == Severity::Error,
    };
    faults.into_iter().filter(is_error).collect()
}

/// Returns whether a value is text without an expression.
fn is_plain_text(json: &Json) -> bool {
    json.as_str().is_some_and(|text| !text.contains("${{"))
}

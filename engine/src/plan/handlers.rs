//! The handlers for AWS Lambda: those that the file declares, or one per branch.

use std::collections::HashMap;
use std::sync::Arc;

use oms_core::diagnostic::{Finding, Place, Route, codes, did_you_mean};

use super::checked::Handler;
use super::graph::Graph;
use super::sink::Sink;
use crate::pipeline::{Pipeline, Section};

pub(super) fn check(
    pipeline: &Pipeline,
    graph: &Graph,
    sink: &mut Sink<'_>,
) -> Option<Vec<Handler>> {
    match &pipeline.handlers {
        Some(handlers) => declared(pipeline, handlers, sink),
        None => Some(branches(pipeline, graph)),
    }
}

/// Returns whether steps of a kind can run before the branches, because they store or announce the
/// order.
fn is_intake_kind(kind: &str) -> bool {
    matches!(kind, "object.put" | "topic.publish")
}

fn declared(
    pipeline: &Pipeline,
    handlers: &[Section<Vec<String>>],
    sink: &mut Sink<'_>,
) -> Option<Vec<Handler>> {
    let index: HashMap<&str, usize> =
        pipeline.steps.iter().enumerate().map(|(at, step)| (step.name.as_str(), at)).collect();
    let mut owner: HashMap<usize, Place> = HashMap::new();
    let mut valid = true;
    let mut made = Vec::new();
    for named in handlers {
        let Some(names) = &named.section else {
            valid = false;
            continue;
        };
        if names.is_empty() {
            valid = false;
            let message = format!("the handler `{}` has no steps", named.name);
            sink.add(
                Finding::error(codes::HANDLER, Place::key(named.route.clone()), message)
                    .help("list its steps, or remove the handler".to_owned()),
            );
        }
        let mut steps = Vec::new();
        for (position, name) in names.iter().enumerate() {
            let place = Place::value(named.route.index(position));
            let Some(at) = index.get(name.as_str()).copied() else {
                valid = false;
                let help = did_you_mean(name, index.keys().copied());
                sink.add(
                    Finding::error(codes::UNKNOWN_STEP, place, format!("unknown step `{name}`"))
                        .help(help),
                );
                continue;
            };
            if let Some(first) = owner.get(&at) {
                valid = false;
                sink.add(
                    Finding::error(
                        codes::HANDLER,
                        place,
                        format!("the step `{name}` appears twice in `handlers`"),
                    )
                    .related(first.clone(), "the first entry")
                    .help("keep the step in one handler only".to_owned()),
                );
                continue;
            }
            owner.insert(at, place);
            steps.push(at);
        }
        made.push(Handler { name: Arc::from(named.name.as_str()), steps });
    }
    for (at, step) in pipeline.steps.iter().enumerate() {
        let kind = step.section.as_ref().map_or("", |section| section.uses.as_str());
        if owner.contains_key(&at) || is_intake_kind(kind) || step.section.is_none() {
            continue;
        }
        valid = false;
        sink.add(
            Finding::error(
                codes::HANDLER,
                Place::key(step.route.clone()),
                format!("no handler runs the step `{}`", step.name),
            )
            .related(Place::key(Route::root().key("handlers")), "the step is not listed here")
            .help(format!("add `{}` to one of the handlers", step.name)),
        );
    }
    valid.then_some(made)
}

/// Returns one handler per branch. Branches are the connected groups of steps that remain without
/// the steps that store and announce the order.
fn branches(pipeline: &Pipeline, graph: &Graph) -> Vec<Handler> {
    let is_intake_step = |at: usize| {
        pipeline
            .steps
            .get(at)
            .and_then(|step| step.section.as_ref())
            .is_some_and(|section| is_intake_kind(&section.uses))
    };
    let count = pipeline.steps.len();
    let mut group: Vec<usize> = (0..count).collect();
    for (at, needs) in graph.needs.iter().enumerate() {
        let caught = graph.catches.get(at).into_iter().flatten().copied();
        for other in needs.iter().map(|need| need.step).chain(caught) {
            if is_intake_step(at) || is_intake_step(other) {
                continue;
            }
            let (Some(a), Some(b)) = (group.get(at).copied(), group.get(other).copied()) else {
                continue;
            };
            for member in &mut group {
                if *member == a.max(b) {
                    *member = a.min(b);
                }
            }
        }
    }
    let mut made: Vec<(usize, Handler)> = Vec::new();
    for (at, step) in pipeline.steps.iter().enumerate().filter(|(at, _)| !is_intake_step(*at)) {
        let root = group.get(at).copied().unwrap_or(at);
        match made.iter_mut().find(|(known, _)| *known == root) {
            Some((_, handler)) => handler.steps.push(at),
            None => {
                let name = Arc::from(step.name.as_str());
                made.push((root, Handler { name, steps: vec![at] }));
            }
        }
    }
    made.into_iter().map(|(_, handler)| handler).collect()
}

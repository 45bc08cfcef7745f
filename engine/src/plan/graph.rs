//! The dependencies of steps: explicit needs, references in expressions and catch steps. Reports
//! unknown steps and cycles.

use std::collections::HashMap;

use oms_core::diagnostic::{Finding, Place, Route, codes, did_you_mean};
use oms_expression::{Reference, references};
use petgraph::algo::{tarjan_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::checked::Need;
use super::sink::Sink;
use crate::pipeline::{Pipeline, Section, StepSection};

/// The graph of a pipeline. Positions are those of the steps in the file.
pub(super) struct Graph {
    /// The needs of each step.
    pub(super) needs: Vec<Vec<Need>>,
    /// The catch step of each step.
    pub(super) caught_by: Vec<Option<usize>>,
    /// For each catch step, the steps whose failures it catches, in the order of the file.
    pub(super) catches: Vec<Vec<usize>>,
    /// The steps in topological order, without those in a cycle.
    pub(super) order: Vec<usize>,
}

/// An edge, with the place that creates it.
struct Edge {
    from: usize,
    to: usize,
    place: Place,
}

pub(super) fn check(pipeline: &Pipeline, sink: &mut Sink<'_>) -> Graph {
    let index: HashMap<&str, usize> =
        pipeline.steps.iter().enumerate().map(|(at, step)| (step.name.as_str(), at)).collect();
    let count = pipeline.steps.len();
    let mut builder = Builder {
        index,
        names: pipeline.steps.iter().map(|step| step.name.as_str()).collect(),
        edges: Vec::new(),
        graph: Graph {
            needs: vec![Vec::new(); count],
            caught_by: vec![None; count],
            catches: vec![Vec::new(); count],
            order: Vec::new(),
        },
        sink,
    };
    for (at, step) in pipeline.steps.iter().enumerate() {
        if let Some(section) = &step.section {
            builder.explicit(at, step, section);
            builder.implied(at, step, section);
        }
    }
    for (at, step) in pipeline.steps.iter().enumerate() {
        if let Some(section) = &step.section {
            builder.catch(at, step, section);
        }
    }
    builder.finish()
}

struct Builder<'p, 's, 'd> {
    index: HashMap<&'p str, usize>,
    names: Vec<&'p str>,
    edges: Vec<Edge>,
    graph: Graph,
    sink: &'s mut Sink<'d>,
}

impl Builder<'_, '_, '_> {
    fn unknown(&mut self, name: &str, place: Place) {
        let help = did_you_mean(name, self.names.iter().copied());
        self.sink.add(
            Finding::error(codes::UNKNOWN_STEP, place, format!("unknown step `{name}`")).help(help),
        );
    }

    fn add(&mut self, at: usize, need: Need, place: Place) {
        self.edges.push(Edge { from: at, to: need.step, place });
        if let Some(needs) = self.graph.needs.get_mut(at)
            && !needs.iter().any(|known| known.step == need.step)
        {
            needs.push(need);
        }
    }

    fn explicit(&mut self, at: usize, step: &Section<StepSection>, section: &StepSection) {
        let mut seen: Vec<usize> = Vec::new();
        for (position, need) in section.needs.iter().enumerate() {
            let route = step.route.key("needs").index(position);
            let long = self.sink.document.root().find(&route.key("step")).is_some();
            let place = Place::value(if long { route.key("step") } else { route });
            match self.index.get(need.step.as_str()).copied() {
                None => self.unknown(&need.step, place),
                Some(needed) if seen.contains(&needed) => {
                    let message = format!("`{}` needs `{}` twice", step.name, need.step);
                    self.sink.add(
                        Finding::warning(codes::DUPLICATE_NEED, place, message)
                            .help("remove one of the two entries".to_owned()),
                    );
                }
                Some(needed) => {
                    seen.push(needed);
                    self.add(at, Need { step: needed, allow: need.allow.clone() }, place);
                }
            }
        }
    }

    fn implied(&mut self, at: usize, step: &Section<StepSection>, section: &StepSection) {
        let mut found: Vec<(Route, Vec<Reference>)> =
            vec![(step.route.key("with"), references(&section.with))];
        if let Some(when) = &section.when {
            found.push((step.route.key("when"), references(when)));
        }
        if let Some(each) = &section.for_each {
            found.push((step.route.key("for_each").key("items"), references(&each.items)));
        }
        for (base, references) in found {
            for reference in references {
                let place = Place::text(base.join(&reference.route), reference.within);
                match self.index.get(reference.step.as_str()).copied() {
                    None => self.unknown(&reference.step, place),
                    Some(needed) => self.add(at, Need { step: needed, allow: Vec::new() }, place),
                }
            }
        }
    }

    fn catch(&mut self, at: usize, step: &Section<StepSection>, section: &StepSection) {
        let Some(catch) = &section.on_failure else { return };
        let place = Place::value(step.route.key("on_failure").key("run"));
        let Some(catcher) = self.index.get(catch.run.as_str()).copied() else {
            self.unknown(&catch.run, place);
            return;
        };
        if catcher == at {
            let message = format!("`{}` cannot catch its own failure", step.name);
            self.sink.add(
                Finding::error(codes::CATCH, place, message)
                    .help("name another step, or remove `on_failure`".to_owned()),
            );
            return;
        }
        if self
            .graph
            .needs
            .get(catcher)
            .is_some_and(|needs| needs.iter().any(|need| need.step == at))
        {
            let message = format!(
                "`{}` needs `{}` to succeed, but runs only if it fails",
                catch.run, step.name
            );
            let mut finding = Finding::error(codes::CATCH, place, message);
            if let Some(edge) = self.edges.iter().find(|edge| edge.from == catcher && edge.to == at)
            {
                let text = format!("`{}` needs it here", catch.run);
                finding = finding.related(edge.place.clone(), text);
            }
            self.sink.add(
                finding.help(
                    "use `error` instead; a catch step cannot refer to the step that it catches"
                        .to_owned(),
                ),
            );
            return;
        }
        if let (Some(caught_by), Some(catches)) =
            (self.graph.caught_by.get_mut(at), self.graph.catches.get_mut(catcher))
        {
            *caught_by = Some(catcher);
            catches.push(at);
        }
        self.edges.push(Edge { from: catcher, to: at, place });
    }

    fn finish(mut self) -> Graph {
        let mut graph = DiGraph::<usize, ()>::new();
        let nodes: Vec<NodeIndex> = (0..self.names.len()).map(|at| graph.add_node(at)).collect();
        for edge in &self.edges {
            if let (Some(from), Some(to)) = (nodes.get(edge.from), nodes.get(edge.to)) {
                // The needed step comes first.
                graph.add_edge(*to, *from, ());
            }
        }
        let mut in_circle: Vec<usize> = Vec::new();
        for component in tarjan_scc(&graph) {
            let members: Vec<usize> =
                component.iter().filter_map(|node| graph.node_weight(*node).copied()).collect();
            let alone = members.len() == 1;
            let to_itself =
                self.edges.iter().any(|edge| edge.from == edge.to && members.contains(&edge.from));
            if !alone || to_itself {
                self.report_cycle(&members);
                in_circle.extend(members);
            }
        }
        graph.retain_nodes(|graph, node| {
            graph.node_weight(node).is_some_and(|at| !in_circle.contains(at))
        });
        self.graph.order = match toposort(&graph, None) {
            Ok(order) => {
                order.iter().filter_map(|node| graph.node_weight(*node).copied()).collect()
            }
            // A graph without cycles always has a topological order.
            Err(_) => Vec::new(),
        };
        self.graph
    }

    /// Reports a cycle, with a label at each of its edges.
    fn report_cycle(&mut self, members: &[usize]) {
        let start = members.iter().copied().min().unwrap_or(0);
        let mut path: Vec<&Edge> = Vec::new();
        let mut at = start;
        loop {
            // Any cycle will do, not only the shortest one. Take the first edge in file order that
            // stays among the members, and prefer new steps.
            let next = self
                .edges
                .iter()
                .filter(|edge| edge.from == at && members.contains(&edge.to))
                .min_by_key(|edge| {
                    (path.iter().any(|seen| seen.from == edge.to), edge.to != start)
                });
            let Some(edge) = next else { break };
            path.push(edge);
            at = edge.to;
            if at == start || path.len() > members.len() {
                break;
            }
        }
        // The path may have returned to a step other than its first one.
        if let Some(position) = path.iter().position(|edge| edge.from == at) {
            path.drain(..position);
        }
        let name = |at: usize| self.names.get(at).copied().unwrap_or_default();
        let text = |edge: &Edge| format!("`{}` waits for `{}`", name(edge.from), name(edge.to));
        let mut edges = path.iter();
        let Some(first) = edges.next() else { return };
        let message = if path.len() == 1 {
            format!("`{}` waits for itself", name(first.from))
        } else {
            "steps depend on each other in a cycle".to_owned()
        };
        let mut finding =
            Finding::error(codes::CYCLE, first.place.clone(), message).label(text(first));
        for edge in edges {
            finding = finding.related(edge.place.clone(), text(edge));
        }
        let help =
            if path.len() == 1 { "remove this entry" } else { "remove one of these entries" };
        self.sink.add(finding.help(help.to_owned()));
    }
}

//! Finds the lists of the order that an expression runs over. A list that may be too long gets a
//! warning, and is checked when an order arrives.

use std::collections::BTreeSet;

use oms_core::value::{Shape, Type};

use super::compiled::Compiled;
use super::node::{Base, Function, Loop, LoopKind, Node};
use super::syntax::Operator;

impl Compiled {
    /// Returns the lists of the order that the evaluation runs over, as dotted names:
    /// `groups.lines` is the list `lines` of each element of `groups`. `items` is the list whose
    /// element the expression may use.
    pub fn lists(&self, order: &Type, items: Option<&Self>) -> BTreeSet<String> {
        let mut walk = Walk::new(order);
        if let Some(items) = items {
            walk.item = elements(walk.values(items.node()));
            walk.found.clear();
        }
        walk.values(self.node());
        walk.found
    }

    /// Returns the lists of the order that a step runs over if this value is its `items`.
    pub fn lists_as_items(&self, order: &Type) -> BTreeSet<String> {
        let mut walk = Walk::new(order);
        let values = walk.values(self.node());
        walk.run_over(&values);
        walk.found
    }
}

/// A part of the order: its path and its type.
#[derive(Clone)]
struct Part<'t> {
    path: String,
    ty: &'t Type,
}

struct Walk<'t> {
    order: &'t Type,
    item: Vec<Part<'t>>,
    /// The possible values of the loop variables, outermost first.
    locals: Vec<Vec<Part<'t>>>,
    found: BTreeSet<String>,
}

impl<'t> Walk<'t> {
    const fn new(order: &'t Type) -> Self {
        Self { order, item: Vec::new(), locals: Vec::new(), found: BTreeSet::new() }
    }

    fn run_over(&mut self, lists: &[Part<'t>]) {
        let lists = lists.iter().filter(|list| matches!(list.ty.shape, Shape::List(_)));
        self.found.extend(lists.map(|list| list.path.clone()));
    }

    /// Returns the parts of the order that the value can be, and records the lists that the
    /// evaluation runs over.
    fn values(&mut self, node: &Node) -> Vec<Part<'t>> {
        match node {
            Node::Const(_) | Node::Bound(_) => Vec::new(),
            Node::Path { base, fields } => {
                let parts = self.base(*base);
                fields.iter().fold(parts, |parts, position| fields_at(&parts, *position))
            }
            Node::Field(operand, position) => fields_at(&self.values(operand), *position),
            Node::At(operand, _) => elements(self.values(operand)),
            Node::Coerce(operand, _) => self.values(operand),
            Node::Not(operand)
            | Node::Negate(operand)
            | Node::Day(operand, _)
            | Node::Encoded(operand, _)
            | Node::Round { operand, .. } => self.visit([operand.as_ref()]),
            Node::Binary(operator, operands) => {
                let [left, right] = operands.as_ref();
                let mut parts = self.values(left);
                parts.extend(self.values(right));
                if *operator != Operator::Add {
                    return Vec::new();
                }
                // Joined lists can be too long together even if each is short enough.
                self.run_over(&parts);
                parts
            }
            Node::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                self.values(condition);
                let mut parts = self.values(yes);
                parts.extend(self.values(no));
                parts
            }
            Node::And(operands) | Node::Or(operands) | Node::Divide { operands, .. } => {
                self.visit(operands.iter())
            }
            Node::Call(function, args) => self.call(*function, args),
            Node::Loop(looping) => self.looping(looping),
            Node::List(nodes) | Node::Record(_, nodes) | Node::Concat(nodes) => {
                self.visit(nodes.iter())
            }
        }
    }

    fn visit<'n>(&mut self, nodes: impl IntoIterator<Item = &'n Node>) -> Vec<Part<'t>> {
        for node in nodes {
            self.values(node);
        }
        Vec::new()
    }

    fn base(&self, base: Base) -> Vec<Part<'t>> {
        match base {
            Base::Order => vec![Part { path: String::new(), ty: self.order }],
            Base::Item => self.item.clone(),
            Base::Local(outwards) => {
                let local = self.locals.iter().rev().nth(outwards);
                local.cloned().unwrap_or_default()
            }
            Base::Run | Base::Step(_) | Base::Index | Base::Error | Base::Intake | Base::Row => {
                Vec::new()
            }
        }
    }

    fn call(&mut self, function: Function, args: &[Node]) -> Vec<Part<'t>> {
        let mut parts: Vec<Vec<Part<'t>>> = args.iter().map(|arg| self.values(arg)).collect();
        match function {
            Function::Coalesce => parts.into_iter().flatten().collect(),
            Function::Get if !parts.is_empty() => elements(parts.swap_remove(0)),
            Function::Sum | Function::SumInt => {
                parts.iter().for_each(|lists| self.run_over(lists));
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn looping(&mut self, looping: &Loop) -> Vec<Part<'t>> {
        let lists = self.values(&looping.list);
        self.run_over(&lists);
        self.locals.push(elements(lists.clone()));
        self.visit(looping.condition.iter().chain([&looping.body]));
        self.locals.pop();
        if looping.kind == LoopKind::Filter { lists } else { Vec::new() }
    }
}

fn fields_at<'t>(parts: &[Part<'t>], position: usize) -> Vec<Part<'t>> {
    let field = |part: &Part<'t>| {
        let Shape::Record(record) = &part.ty.shape else { return None };
        let field = record.fields().get(position)?;
        let path = match part.path.is_empty() {
            true => field.name.to_string(),
            false => format!("{}.{}", part.path, field.name),
        };
        Some(Part { path, ty: &field.ty })
    };
    parts.iter().filter_map(field).collect()
}

fn elements(lists: Vec<Part<'_>>) -> Vec<Part<'_>> {
    let elements = lists.into_iter().filter_map(|list| match &list.ty.shape {
        Shape::List(element) => Some(Part { ty: element, path: list.path }),
        _ => None,
    });
    elements.collect()
}

//! Resolves names, fields and elements to positions.

use oms_core::diagnostic::{closest, codes, did_you_mean, one_of};
use oms_core::value::{Shape, Type, Value};

use super::check::{Checked, Checker};
use super::node::{Base, Node};
use super::precedence::{self, Level};
use super::problem::Origin;
use super::scope::{Root, StepVar};
use super::syntax::{Expr, ExprKind};
use super::{hints, narrow, widen};

/// The help for a part of the order that has no type.
const NO_TYPE_HELP: &str =
    "describe this part of the order schema with `properties`: `oms` cannot derive its type";
/// The help for a field of a step without output.
const NO_OUTPUT_HELP: &str = "remove the reference: this step has no output";

impl Checker<'_> {
    /// Checks a name or a field. `whole` is false if only a field of the value is used.
    pub(super) fn path(&mut self, expr: &Expr, whole: bool) -> Checked {
        let mut checked = match &expr.kind {
            ExprKind::Name(name) => self.name(expr, name),
            ExprKind::OuterName(name) => self.outer_name(expr, name),
            ExprKind::Select(operand, field) => match &operand.kind {
                ExprKind::Name(name) if name == "steps" && self.local("steps").is_none() => {
                    self.step(expr, field)
                }
                ExprKind::OuterName(name) if name == "steps" => self.step(expr, field),
                ExprKind::Name(_) | ExprKind::OuterName(_) | ExprKind::Select(..) => {
                    let operand = self.path(operand, false);
                    self.field(expr, operand, field)
                }
                _ => {
                    let operand = self.check(operand);
                    self.field(expr, operand, field)
                }
            },
            _ => self.check(expr),
        };
        if let (Some(path), Some(ty)) = (&checked.path, &mut checked.ty) {
            if ty.nullable && ty.shape != Shape::Null && self.facts.is_present(path) {
                ty.nullable = false;
            }
            if let Some(interval) = ty.interval() {
                let narrowed = self.facts.narrow(path, interval);
                if narrowed != interval {
                    *ty = widen::within(ty.clone(), narrowed);
                }
            }
            if whole {
                self.reads.insert(path.clone());
            }
        }
        checked
    }

    fn local(&self, name: &str) -> Option<usize> {
        self.locals.iter().rposition(|local| local.name == name)
    }

    fn name(&mut self, expr: &Expr, name: &str) -> Checked {
        if let Some(position) = self.local(name)
            && let Some(local) = self.locals.get(position)
        {
            let base = Base::Local(self.locals.len() - 1 - position);
            let node = Node::Path { base, fields: Box::default() };
            let path = Some(local.path.clone());
            return Checked { path, ..Checked::new(node, local.ty.clone(), expr.span.clone()) };
        }
        self.outer_name(expr, name)
    }

    /// Resolves a name without regard to loop variables.
    fn outer_name(&mut self, expr: &Expr, name: &str) -> Checked {
        let span = expr.span.clone();
        match self.scope.root(name) {
            Some((root, Some(ty))) => {
                let at = |base| Node::Path { base, fields: Box::default() };
                let node = match root {
                    Root::Order => at(Base::Order),
                    Root::Run => at(Base::Run),
                    Root::Item => at(Base::Item),
                    Root::Index => at(Base::Index),
                    Root::Error => at(Base::Error),
                    Root::Intake => at(Base::Intake),
                    Root::Row => at(Base::Row),
                    Root::Settings => Node::Bound(self.scope.settings()),
                };
                let path = Some(root.as_str().to_owned());
                let origin = (root == Root::Order).then(|| Origin::Order { path: String::new() });
                Checked { path, origin, ..Checked::new(node, Some(ty.clone()), span) }
            }
            Some((root, None)) => {
                let message = format!("`{name}` is not available here");
                let help = root.availability();
                self.report(codes::UNKNOWN_NAME, span.clone(), message, "unknown name")
                    .help(help.to_owned());
                Checked::broken(span)
            }
            None => self.unknown_name(expr, name),
        }
    }

    fn unknown_name(&mut self, expr: &Expr, name: &str) -> Checked {
        let span = expr.span.clone();
        if name == "steps" {
            let help = match self.scope.steps().keys().next() {
                Some(id) => format!("use the output of a step, such as `steps.{id}`"),
                None => "no step always runs before this one".to_owned(),
            };
            let message = "`steps` is not a value by itself";
            self.report(codes::UNKNOWN_NAME, span.clone(), message, "missing step id").help(help);
            return Checked::broken(span);
        }
        let help = match self.scope.item_is_renamed() {
            // Only a name with a dot before it gets here if there is a loop variable of this name.
            _ if self.local(name).is_some() => Some(format!("write `{name}` for the element")),
            Some(renamed) if name == Root::Item.as_str() => {
                Some(format!("write `{renamed}` for the element"))
            }
            _ => {
                let locals = self.locals.iter().map(|local| local.name.as_str());
                let names: Vec<&str> = self.scope.names().into_iter().chain(locals).collect();
                let near = closest(name, names.iter().copied());
                let near = near.map(|near| format!("did you mean `{near}`?"));
                near.or_else(|| hints::name(name).map(str::to_owned))
                    .or_else(|| one_of(names.iter().copied()))
            }
        };
        let message = format!("unknown name `{name}`");
        self.report(codes::UNKNOWN_NAME, span.clone(), message, "unknown name").help(help);
        Checked::broken(span)
    }

    fn step(&mut self, expr: &Expr, id: &str) -> Checked {
        let span = expr.span.clone();
        match self.scope.steps().get(id) {
            Some(StepVar::Known { index, ty }) => {
                self.steps.insert(*index);
                let node = Node::Path { base: Base::Step(*index), fields: Box::default() };
                Checked {
                    path: Some(format!("steps.{id}")),
                    origin: Some(Origin::Step { index: *index, field: String::new() }),
                    ..Checked::new(node, Some(ty.clone()), span)
                }
            }
            Some(StepVar::Broken) => Checked::broken(span),
            None => {
                let known: Vec<&str> = self.scope.steps().keys().map(String::as_str).collect();
                let help = did_you_mean(id, known.iter().copied());
                let message = format!("there is no step `{id}` that always runs before this one");
                self.report(codes::UNKNOWN_NAME, expr.at.clone(), message, "unknown step")
                    .help(help);
                Checked::broken(span)
            }
        }
    }

    /// Checks the access to a field of a value.
    pub(super) fn field(&mut self, expr: &Expr, operand: Checked, field: &str) -> Checked {
        let span = expr.span.clone();
        let Some(ty) = &operand.ty else { return Checked::broken(span) };
        let written = self.source_of(&operand.span);
        let record = match &ty.shape {
            Shape::Record(record) => record.clone(),
            Shape::Json => {
                let message = format!("expressions cannot refer to parts of `{written}`");
                self.report(codes::WRONG_TYPE, expr.at.clone(), message, "unknown type")
                    .help(NO_TYPE_HELP.to_owned())
                    .origin(operand.origin);
                return Checked::broken(span);
            }
            shape => {
                let found = widen::describe(shape);
                let message = format!("`{written}` has no fields: it is {found}");
                let help = hints::field(written, field, shape);
                self.report(codes::EXPRESSION_TYPE, expr.at.clone(), message, "unknown field")
                    .help(help)
                    .origin(operand.origin);
                return Checked::broken(span);
            }
        };
        let Some(position) = record.position(field) else {
            let (help, origin) = match operand.origin {
                origin if !record.fields().is_empty() => {
                    (did_you_mean(field, record.names()), origin)
                }
                Some(Origin::Step { field: below, .. }) if below.is_empty() => {
                    (Some(NO_OUTPUT_HELP.to_owned()), None)
                }
                // The expression itself contains an empty map.
                None if operand.node.constant().is_some() => (None, None),
                origin => (Some(NO_TYPE_HELP.to_owned()), origin),
            };
            let message = format!("`{written}` has no field `{field}`");
            self.report(codes::UNKNOWN_NAME, expr.at.clone(), message, "unknown field")
                .help(help)
                .origin(origin);
            return Checked::broken(span);
        };
        self.present_in(&operand, Some(self.source_of(&span)));
        let pii = ty.pii;
        let present_if =
            narrow::present_if(&record, field, &precedence::operand(written, Level::Member));
        let found = narrow::field_type(&record, position, operand.path.as_deref(), &self.facts);
        let found = found.map(|found| found.with_pii(pii));
        let path = operand.path.map(|path| format!("{path}.{field}"));
        let origin = operand.origin.map(|origin| origin_of_field(origin, field));
        let node = select_field(operand.node, position);
        Checked { path, origin, present_if, ..Checked::new(node, found, span) }
    }

    /// Checks `list[0]` and `record["name"]`.
    pub(super) fn index(&mut self, expr: &Expr, parts: &[Expr; 2]) -> Checked {
        let [list, index] = parts;
        let list = self.check(list);
        let index = self.check(index);
        let span = expr.span.clone();
        let (Some(ty), Some(_)) = (&list.ty, &index.ty) else { return Checked::broken(span) };
        if let (Shape::Record(_), Some(name)) = (&ty.shape, index.constant_text()) {
            let at = Expr { at: index.span.clone(), ..expr.clone() };
            let name = name.to_owned();
            return self.field(&at, list, &name);
        }
        let written = self.source_of(&list.span);
        let Shape::List(element) = &ty.shape else {
            let message =
                format!("`{written}` has no elements: it is {}", widen::describe(&ty.shape));
            self.report(codes::EXPRESSION_TYPE, span.clone(), message, "not a list");
            return Checked::broken(span);
        };
        let element = element.as_ref().clone().with_pii(ty.pii);
        let ty = Some(element);
        if !self.present(&list) {
            return Checked { ty, ..Checked::broken(span) };
        }
        let written_index = self.source_of(&index.span);
        let Some(Value::Int(position)) = index.node.constant() else {
            let (message, help) = match index.shape() {
                Some(Shape::Int) => (
                    format!("`{written}` may have no element `{written_index}`"),
                    format!(
                        "write `get({written}, {written_index})`, which is null if there is no such element"
                    ),
                ),
                _ => (
                    format!(
                        "an index must be an integer, found {}",
                        index.shape().map(widen::describe).unwrap_or_default()
                    ),
                    format!("write `{}[0]`", precedence::operand(written, Level::Member)),
                ),
            };
            let code = match index.shape() {
                Some(Shape::Int) => codes::MAY_FAIL,
                _ => codes::EXPRESSION_TYPE,
            };
            self.report(code, index.span, message, "this index").help(help);
            return Checked { ty, ..Checked::broken(span) };
        };
        let position = usize::try_from(*position).ok();
        let proven = position.is_some_and(|position| {
            list.path.as_ref().is_some_and(|path| self.facts.size_min(path) > position as u64)
                || list.node.constant().and_then(Value::as_list).is_some_and(|l| l.len() > position)
        });
        let Some(position) = position.filter(|_| proven) else {
            let message = format!("`{written}` may have no element `{written_index}`");
            let help = format!(
                "write `get({written}, {written_index})`, which is null if there is no such element, or guard it: `size({written}) > {written_index}`"
            );
            self.report(codes::MAY_FAIL, index.span, message, "this index").help(help);
            return Checked { ty, ..Checked::broken(span) };
        };
        let path = list.path.as_ref().map(|path| format!("{path}[{position}]"));
        let ty = narrowed(ty, path.as_deref(), self);
        Checked {
            path,
            origin: list.origin,
            ..Checked::new(Node::At(Box::new(list.node), position), ty, span)
        }
    }
}

fn narrowed(ty: Option<Type>, path: Option<&str>, checker: &Checker<'_>) -> Option<Type> {
    let present = path.is_some_and(|path| checker.facts.is_present(path));
    ty.map(|ty| if present { ty.not_null() } else { ty })
}

fn select_field(node: Node, position: usize) -> Node {
    match node {
        Node::Path { base, fields } => {
            let fields = fields.iter().copied().chain([position]).collect();
            Node::Path { base, fields }
        }
        node => Node::Field(Box::new(node), position),
    }
}

fn origin_of_field(origin: Origin, name: &str) -> Origin {
    let below =
        |path: String| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    match origin {
        Origin::Order { path } => Origin::Order { path: below(path) },
        Origin::Step { index, field } => Origin::Step { index, field: below(field) },
    }
}

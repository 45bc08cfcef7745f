//! The static checker. It converts the syntax tree to a typed run-time tree and reports every
//! problem.
//!
//! A wrong part is reported once and then has no type, so the expressions that contain it are not
//! reported.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use oms_core::diagnostic::{Code, Route, codes};
use oms_core::value::{RecordType, Shape, Type, Value};

use super::check_binary::truth;
use super::eval::{Env, Place, VISITS_MAX};
use super::facts::Facts;
use super::node::Node;
use super::pieces::Piece;
use super::problem::{EvalError, Origin, Problem, ProblemSeverity};
use super::scope::Scope;
use super::syntax::{Expr, ExprKind, Operator};
use super::{guard, hints, widen};

/// A checked part of an expression.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    pub(super) node: Node,
    /// Its type; `None` if it contains an error, or depends on a step with errors or on an invalid
    /// part of the order schema.
    pub(super) ty: Option<Type>,
    /// Its byte range.
    pub(super) span: Range<usize>,
    /// The path that identifies it in facts, if it is a path.
    pub(super) path: Option<String>,
    pub(super) origin: Option<Origin>,
    /// The condition on a constant of the union under which it is not missing.
    pub(super) present_if: Option<String>,
    /// The pieces of its text, if known.
    pub(super) pieces: Vec<Piece>,
    /// The facts that hold if it is true, and if it is false.
    pub(super) if_true: Facts,
    pub(super) if_false: Facts,
}

impl Checked {
    pub(super) fn new(node: Node, ty: Option<Type>, span: Range<usize>) -> Self {
        let (holds, fails) = (Facts::default(), Facts::default());
        let ty = ty.filter(|ty| ty.shape != Shape::Broken);
        let pieces = Vec::new();
        Self {
            node,
            ty,
            span,
            path: None,
            origin: None,
            present_if: None,
            pieces,
            if_true: holds,
            if_false: fails,
        }
    }

    pub(super) fn broken(span: Range<usize>) -> Self {
        Self::new(Node::Const(Value::Null), None, span)
    }

    pub(super) fn shape(&self) -> Option<&Shape> {
        self.ty.as_ref().map(|ty| &ty.shape)
    }

    /// Returns whether it is or contains personal data.
    pub(super) fn contains_pii(&self) -> bool {
        self.ty.as_ref().is_some_and(Type::contains_pii)
    }

    /// Returns the pieces of its text. If nothing is known, the only piece is the value itself.
    pub(super) fn pieces(&self) -> Vec<Piece> {
        match (&self.path, self.node.constant()) {
            _ if !self.pieces.is_empty() => self.pieces.clone(),
            (_, Some(value)) => vec![Piece::Fixed(value.display())],
            (Some(path), None) if !matches!(self.node, Node::Call(..)) => {
                vec![Piece::Path(path.clone())]
            }
            _ => vec![Piece::Other],
        }
    }

    /// Returns the text if it is a constant text.
    pub(super) fn constant_text(&self) -> Option<&str> {
        self.node.constant()?.as_text().map(AsRef::as_ref)
    }
}

/// The variable of a loop.
pub(super) struct Local {
    pub(super) name: String,
    /// Its unique path in facts.
    pub(super) path: String,
    pub(super) ty: Option<Type>,
}

/// The state while one expression is checked.
pub(super) struct Checker<'s> {
    pub(super) scope: &'s Scope,
    /// The text of the expression.
    pub(super) text: &'s str,
    /// The offset of the expression within its scalar.
    pub(super) offset: usize,
    pub(super) route: Route,
    pub(super) facts: Facts,
    pub(super) locals: Vec<Local>,
    pub(super) locals_made: usize,
    pub(super) problems: Vec<Problem>,
    pub(super) reads: BTreeSet<String>,
    pub(super) steps: BTreeSet<usize>,
}

impl<'s> Checker<'s> {
    pub(super) fn new(scope: &'s Scope, text: &'s str, offset: usize, route: Route) -> Self {
        Self {
            scope,
            text,
            offset,
            route,
            facts: scope.facts().clone(),
            locals: Vec::new(),
            locals_made: 0,
            problems: Vec::new(),
            reads: BTreeSet::new(),
            steps: BTreeSet::new(),
        }
    }

    pub(super) fn check(&mut self, expr: &Expr) -> Checked {
        let checked = match &expr.kind {
            ExprKind::Literal(value) => literal(value, expr.span.clone()),
            ExprKind::Name(_) | ExprKind::OuterName(_) | ExprKind::Select(..) => {
                self.path(expr, true)
            }
            ExprKind::Index(parts) => self.index(expr, parts),
            ExprKind::Call { name, target, args } => self.call(expr, name, target.as_deref(), args),
            ExprKind::Not(operand) => self.not(expr, operand),
            ExprKind::Negate(operand) => self.negate(expr, operand),
            ExprKind::Binary(Operator::And, operands) => {
                self.logical(expr, operands, Operator::And)
            }
            ExprKind::Binary(Operator::Or, operands) => self.logical(expr, operands, Operator::Or),
            ExprKind::Binary(operator, operands) => self.binary(expr, *operator, operands),
            ExprKind::If(parts) => self.conditional(expr, parts),
            ExprKind::List(elements) => self.list(expr, elements),
            ExprKind::Record(fields) => self.record(expr, fields),
        };
        let checked = self.folded(checked);
        self.with_truth(expr, checked)
    }

    /// Checks a part with additional facts.
    pub(super) fn check_with_facts(&mut self, facts: &Facts, expr: &Expr) -> Checked {
        if facts.is_empty() {
            return self.check(expr);
        }
        let before = self.facts.clone();
        self.facts = std::mem::take(&mut self.facts).and(facts);
        let checked = self.check(expr);
        self.facts = before;
        checked
    }

    /// Returns the source text at `span`.
    pub(super) fn source_of(&self, span: &Range<usize>) -> &'s str {
        self.text.get(span.clone()).unwrap_or_default()
    }

    /// Reports a problem and returns it so details can be added.
    pub(super) fn report(
        &mut self,
        code: Code,
        span: Range<usize>,
        message: impl Into<String>,
        label: impl Into<String>,
    ) -> ReportedProblem<'_> {
        let problem = Problem {
            code,
            route: self.route.clone(),
            within: Some(span.start + self.offset..span.end + self.offset),
            on_key: false,
            message: message.into(),
            label: label.into(),
            help: None,
            origin: None,
            severity: ProblemSeverity::Error,
        };
        self.problems.push(problem);
        ReportedProblem(self.problems.last_mut())
    }

    /// Requires that a value is present, and reports a problem otherwise.
    pub(super) fn present(&mut self, checked: &Checked) -> bool {
        self.present_in(checked, None)
    }

    /// Requires that a value is present where `used` accesses a part of it, and reports a problem
    /// otherwise.
    pub(super) fn present_in(&mut self, checked: &Checked, used: Option<&str>) -> bool {
        let Some(ty) = checked.ty.as_ref().filter(|ty| ty.nullable && ty.shape != Shape::Null)
        else {
            return true;
        };
        let written = self.source_of(&checked.span);
        let help = guard::help(written, checked, ty, self.scope, used);
        self.report(
            codes::MAY_BE_MISSING,
            checked.span.clone(),
            format!("`{written}` may be missing"),
            "used as if it were present",
        )
        .help(help)
        .origin(checked.origin.clone());
        false
    }

    fn condition(&mut self, checked: &Checked, place: &str) -> bool {
        match checked.shape() {
            None => true,
            Some(Shape::Bool) => self.present(checked),
            Some(shape) => {
                let found = widen::describe(shape);
                let help = checked.ty.as_ref().and_then(|ty| {
                    hints::condition(self.source_of(&checked.span), ty, place == "`!`")
                });
                self.report(
                    codes::EXPRESSION_TYPE,
                    checked.span.clone(),
                    format!("{place} expects a condition, found {found}"),
                    format!("this is {found}"),
                )
                .help(help);
                false
            }
        }
    }

    /// Evaluates a constant part, and reports one that never has a value.
    fn folded(&mut self, checked: Checked) -> Checked {
        let (checked, error) = match fold(checked) {
            Ok(checked) => return checked,
            Err(failed) => *failed,
        };
        let span = checked.span.clone();
        let start = span.start + self.offset;
        let end = span.end + self.offset;
        let reported = self.problems.iter().any(|problem| {
            let within = problem.within.as_ref();
            problem.code == codes::MAY_FAIL
                && within.is_some_and(|within| start <= within.start && within.end <= end)
        });
        if !reported {
            let written = self.source_of(&span);
            let message = match error {
                EvalError::Overflow => format!("`{written}` overflows"),
                error => format!("`{written}` cannot be evaluated: {error}"),
            };
            let help = match (error, checked.shape()) {
                (EvalError::Overflow, Some(Shape::Decimal { .. })) => "use at most 28 digits",
                (EvalError::Overflow, _) => {
                    "add a decimal point, as in `1.0`, for a decimal of up to 28 digits; integers have 64 bits"
                }
                _ => "write the result instead",
            };
            self.report(codes::MAY_FAIL, span, message, "fails for every order")
                .help(help.to_owned())
                .severity(ProblemSeverity::NewError);
        }
        checked
    }

    fn not(&mut self, expr: &Expr, operand: &Expr) -> Checked {
        let operand = self.check(operand);
        let valid = self.condition(&operand, "`!`");
        let ty = operand.ty.as_ref().filter(|_| valid).map(|_| truth([&operand]));
        Checked {
            if_true: operand.if_false,
            if_false: operand.if_true,
            ..Checked::new(Node::Not(Box::new(operand.node)), ty, expr.span.clone())
        }
    }

    fn logical(&mut self, expr: &Expr, operands: &[Expr; 2], operator: Operator) -> Checked {
        let [left, right] = operands;
        let and = operator == Operator::And;
        let place = format!("`{}`", operator.as_str());
        let left = self.check(left);
        let right = self.check_with_facts(if and { &left.if_true } else { &left.if_false }, right);
        if !and && self.is_fallback(expr, &left, &right) {
            return Checked::broken(expr.span.clone());
        }
        let valid = self.condition(&left, &place) & self.condition(&right, &place);
        let known = valid && left.ty.is_some() && right.ty.is_some();
        let ty = known.then(|| truth([&left, &right]));
        let nodes = Box::new([left.node, right.node]);
        let (node, holds, fails) = if and {
            (Node::And(nodes), left.if_true.and(&right.if_true), left.if_false.or(&right.if_false))
        } else {
            (Node::Or(nodes), left.if_true.or(&right.if_true), left.if_false.and(&right.if_false))
        };
        Checked { if_true: holds, if_false: fails, ..Checked::new(node, ty, expr.span.clone()) }
    }

    /// Reports `value || fallback`, a notation of other languages.
    fn is_fallback(&mut self, expr: &Expr, left: &Checked, right: &Checked) -> bool {
        let condition = |side: &Checked| side.shape().is_none_or(|shape| *shape == Shape::Bool);
        if condition(left) || condition(right) {
            return false;
        }
        let (value, fallback) = (self.source_of(&left.span), self.source_of(&right.span));
        let found = left.shape().map(widen::describe).unwrap_or_default();
        let help = format!("write `coalesce({value}, {fallback})` for a fallback");
        let message = format!("`||` expects conditions, found {found}");
        self.report(codes::EXPRESSION_TYPE, expr.span.clone(), message, "not conditions")
            .help(help);
        true
    }

    fn conditional(&mut self, expr: &Expr, parts: &[Expr; 3]) -> Checked {
        let [condition, yes, no] = parts;
        let condition = self.check(condition);
        let yes = self.check_with_facts(&condition.if_true, yes);
        let no = self.check_with_facts(&condition.if_false, no);
        let valid = self.condition(&condition, "`?:`");
        let (nodes, ty) = self.joined(expr.span.clone(), "the sides of `?:`", vec![yes, no]);
        let pii = condition.contains_pii();
        let ty = ty.filter(|_| valid && condition.ty.is_some()).map(|ty| ty.with_pii(pii));
        let node = match <[Node; 2]>::try_from(nodes) {
            Ok([yes, no]) => Node::If(Box::new([condition.node, yes, no])),
            Err(_) => return Checked::broken(expr.span.clone()),
        };
        Checked::new(node, ty, expr.span.clone())
    }

    /// Finds the common type of values that can occur in the same place.
    pub(super) fn joined(
        &mut self,
        span: Range<usize>,
        what: &str,
        values: Vec<Checked>,
    ) -> (Vec<Node>, Option<Type>) {
        let mut joined: Option<Type> = None;
        let mut known = true;
        for (position, value) in values.iter().enumerate() {
            let Some(ty) = &value.ty else {
                known = false;
                continue;
            };
            if joined.as_ref().is_some_and(|before| before.differing_units(ty).is_some()) {
                let what = format!("{what} are");
                let valid = |before| self.one_currency(&span, &what, before, value);
                known &= values.iter().take(position).all(valid);
            }
            let next = match &joined {
                None => Some(ty.clone()),
                Some(before) => widen::join(before, ty),
            };
            if next.is_none() && known {
                let before = joined.as_ref().map_or_else(String::new, widen::describe_type);
                let found = widen::describe_type(ty);
                self.report(
                    codes::EXPRESSION_TYPE,
                    span.clone(),
                    format!("{what} have no common type: {before} and {found}"),
                    "incompatible types",
                );
                known = false;
            }
            joined = next.or(joined);
        }
        let ty = joined.filter(|_| known);
        let nodes = values.into_iter().map(|value| match (&ty, &value.ty) {
            (Some(expected), Some(found)) => coerce(value.node, found, expected).0,
            _ => value.node,
        });
        (nodes.collect(), ty)
    }

    fn list(&mut self, expr: &Expr, elements: &[Expr]) -> Checked {
        let checked: Vec<Checked> = elements.iter().map(|element| self.check(element)).collect();
        let empty = checked.is_empty();
        let (nodes, ty) = self.joined(expr.span.clone(), "the elements of a list", checked);
        let ty = if empty { Some(widen::no_element()) } else { ty };
        let ty = ty.map(|ty| Type::list_of_at_most(ty, Some(elements.len() as u64)));
        Checked::new(Node::List(nodes), ty, expr.span.clone())
    }

    fn record(&mut self, expr: &Expr, fields: &[(String, Range<usize>, Expr)]) -> Checked {
        let checked: Vec<(&str, Checked)> =
            fields.iter().map(|(name, _, value)| (name.as_str(), self.check(value))).collect();
        let known = checked.iter().all(|(_, value)| value.ty.is_some());
        let (node, ty) = record(checked);
        Checked::new(node, known.then_some(ty), expr.span.clone())
    }
}

/// Creates a record from its fields.
pub(super) fn record(fields: Vec<(&str, Checked)>) -> (Node, Type) {
    let ty = RecordType::new(fields.iter().map(|(name, value)| {
        let broken = || Type::of(Shape::Json).or_null();
        (Arc::from(*name), value.ty.clone().unwrap_or_else(broken))
    }));
    let mut nodes = vec![Node::Const(Value::Missing); ty.fields().len()];
    for (name, value) in fields {
        if let Some(place) = ty.position(name).and_then(|position| nodes.get_mut(position)) {
            *place = value.node;
        }
    }
    let ty = Arc::new(ty);
    (Node::Record(Arc::clone(&ty), nodes), Type::of(Shape::Record(ty)))
}

/// Converts integers to decimals in a value of type `found` where `expected` has decimals.
/// Returns the resulting type.
pub(super) fn coerce(node: Node, found: &Type, expected: &Type) -> (Node, Type) {
    match widen::coercion(found, expected) {
        None => (node, found.clone()),
        Some((coercion, ty)) => match node {
            Node::Const(value) => {
                let value = coercion.apply(value);
                let shape = match &value {
                    Value::Decimal(_) => widen::type_of_literal(&value).shape,
                    _ => ty.shape,
                };
                (Node::Const(value), Type { shape, ..ty })
            }
            node => (Node::Coerce(Box::new(node), coercion), ty),
        },
    }
}

fn literal(value: &Value, span: Range<usize>) -> Checked {
    Checked::new(Node::Const(value.clone()), Some(widen::type_of_literal(value)), span)
}

/// Evaluates a part that is constant.
///
/// # Errors
/// Returns the part and the reason why it never has a value.
pub(super) fn fold(checked: Checked) -> Result<Checked, Box<(Checked, EvalError)>> {
    let constant = checked.node.constant().is_some();
    if constant || checked.ty.is_none() || !checked.node.is_constant(0) {
        return Ok(checked);
    }
    let (env, left) = (Env::empty(), Cell::new(VISITS_MAX));
    let value = checked.node.eval(Place::new(&env, &left)).map(Cow::into_owned);
    match value {
        Ok(value) => Ok(Checked { node: Node::Const(value), ..checked }),
        Err(error) => Err(Box::new((checked, error))),
    }
}

/// A problem that was just reported.
pub(super) struct ReportedProblem<'p>(Option<&'p mut Problem>);

impl ReportedProblem<'_> {
    pub(super) fn help(self, help: impl Into<Option<String>>) -> Self {
        if let Some(problem) = self.0 {
            problem.help = help.into();
            return Self(Some(problem));
        }
        self
    }

    pub(super) fn origin(self, origin: Option<Origin>) {
        if let Some(problem) = self.0 {
            problem.origin = origin;
        }
    }

    pub(super) fn severity(self, severity: ProblemSeverity) {
        if let Some(problem) = self.0 {
            problem.severity = severity;
        }
    }
}

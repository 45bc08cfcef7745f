//! Comparisons, and the facts that follow if they hold or fail.

use oms_core::value::{Shape, Type, Value};

use super::check::{Checked, Checker, coerce};
use super::domain::Domain;
use super::facts::{Facts, size_of};
use super::lex::Tokens;
use super::node::{Function, Node};
use super::syntax::{Expr, ExprKind, Operator};

impl Checker<'_> {
    /// Compares two values. Numbers of different types are compared as decimals.
    pub(super) fn comparison(
        &self,
        expr: &Expr,
        operator: Operator,
        left: Checked,
        right: Checked,
        ty: Option<Type>,
    ) -> Checked {
        let (holds, fails) = match (left.node.constant(), right.node.constant()) {
            (None, Some(constant)) => self.facts_from_constant(operator, &left, constant),
            (Some(constant), None) => {
                self.facts_from_constant(operator.mirrored(), &right, constant)
            }
            (None, None) => self.facts_from_values(operator, &left, &right),
            (Some(_), Some(_)) => (Facts::default(), Facts::default()),
        };
        let nodes = match (&left.ty, &right.ty) {
            (Some(a), Some(b)) => [coerce(left.node, a, b).0, coerce(right.node, b, a).0],
            _ => [left.node, right.node],
        };
        let node = Node::Binary(operator, Box::new(nodes));
        Checked { if_true: holds, if_false: fails, ..Checked::new(node, ty, expr.span.clone()) }
    }

    /// Returns the facts about a value if this comparison with a constant holds, and if it fails.
    fn facts_from_constant(
        &self,
        operator: Operator,
        value: &Checked,
        constant: &Value,
    ) -> (Facts, Facts) {
        let (Some(subject), Some(ty)) = (self.subject(value), &value.ty) else {
            return (Facts::default(), Facts::default());
        };
        let whole = ty.shape == Shape::Int;
        let fact = |operator| {
            let compared = Domain::from_comparison(operator, constant, whole);
            Facts::about(&subject, Domain::of(ty).and(&compared))
        };
        (fact(operator), operator.negated().map(fact).unwrap_or_default())
    }

    /// Returns the facts if this comparison of two values that are not constant holds, and if it
    /// fails.
    fn facts_from_values(
        &self,
        operator: Operator,
        left: &Checked,
        right: &Checked,
    ) -> (Facts, Facts) {
        let (Some(left), Some(right)) = (self.subject(left), self.subject(right)) else {
            return (Facts::default(), Facts::default());
        };
        let less = |a: &str, b: &str| format!("{a} < {b}");
        let equal = || format!("{} == {}", left.as_str().min(&right), left.as_str().max(&right));
        let (subject, holds) = match operator {
            Operator::Equal => (equal(), true),
            Operator::NotEqual => (equal(), false),
            Operator::Less => (less(&left, &right), true),
            Operator::Greater => (less(&right, &left), true),
            Operator::LessOrEqual => (less(&right, &left), false),
            Operator::GreaterOrEqual => (less(&left, &right), false),
            _ => return (Facts::default(), Facts::default()),
        };
        (truth_of(&subject, holds), truth_of(&subject, !holds))
    }

    /// Returns the facts about a value if it is in a list of constants, and if it is not.
    pub(super) fn membership_facts(&self, value: &Checked, list: &Checked) -> (Facts, Facts) {
        let constants = list.node.constant().and_then(Value::as_list);
        let (Some(subject), Some(ty), Some(constants)) =
            (self.subject(value), &value.ty, constants)
        else {
            return (Facts::default(), Facts::default());
        };
        if constants.iter().any(Value::is_null) {
            return (Facts::default(), Facts::default());
        }
        let fact = |domain: Domain| Facts::about(&subject, Domain::of(ty).and(&domain));
        let constants = constants.to_vec();
        (fact(Domain::one_of(constants.clone())), fact(Domain::none_of(constants)))
    }

    /// Adds the facts that a condition is true if it holds, and false if it fails.
    pub(super) fn with_truth(&self, expr: &Expr, checked: Checked) -> Checked {
        match checked.node.constant() {
            Some(Value::Bool(true)) => return Checked { if_false: Facts::never(), ..checked },
            Some(Value::Bool(false)) => return Checked { if_true: Facts::never(), ..checked },
            _ => {}
        }
        // The facts of these expressions already contain it.
        let is_known = match &expr.kind {
            ExprKind::Not(_) => true,
            ExprKind::Binary(operator, _) => *operator != Operator::In,
            _ => false,
        };
        let is_condition =
            checked.ty.as_ref().is_some_and(|ty| ty.shape == Shape::Bool && !ty.nullable);
        match self.subject(&checked).filter(|_| is_condition && !is_known) {
            None => checked,
            Some(subject) => Checked {
                if_true: checked.if_true.clone().and(&truth_of(&subject, true)),
                if_false: checked.if_false.clone().and(&truth_of(&subject, false)),
                ..checked
            },
        }
    }

    /// Returns the name of a value in facts: its path, or its tokens if they cannot contain the
    /// variable of a loop.
    fn subject(&self, value: &Checked) -> Option<String> {
        match (&value.path, &value.node) {
            (Some(path), Node::Call(Function::Size, _)) => Some(size_of(path)),
            (Some(path), _) => Some(path.clone()),
            (None, _) if !self.locals.is_empty() => None,
            (None, _) => {
                let tokens = Tokens::read(self.source_of(&value.span));
                let words = (0..tokens.list().len()).map(|position| tokens.text(position));
                Some(words.collect::<Vec<_>>().join(" "))
            }
        }
    }
}

fn truth_of(subject: &str, truth: bool) -> Facts {
    let both = Domain::of(&Type::of(Shape::Bool));
    Facts::about(subject, both.and(&Domain::one_of(vec![Value::Bool(truth)])))
}

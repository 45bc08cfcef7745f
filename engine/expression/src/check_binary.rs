//! Binary operators.

use std::ops::Range;
use std::sync::Arc;

use oms_core::diagnostic::{closest, codes};
use oms_core::money::{Decimal, Rounding};
use oms_core::value::{Limits, Shape, Type, Unit, Value};

use super::check::{Checked, Checker};
use super::literal;
use super::node::{Function, Node};
use super::syntax::{Expr, Operator};
use super::widen;

impl Checker<'_> {
    pub(super) fn negate(&mut self, expr: &Expr, operand: &Expr) -> Checked {
        let operand = self.check(operand);
        let valid = match operand.shape() {
            None => false,
            Some(shape) if widen::is_number(shape) => self.present(&operand),
            Some(shape) => {
                let message = format!("`-` cannot be applied to {}", widen::describe(shape));
                self.report(codes::EXPRESSION_TYPE, expr.span.clone(), message, "not a number");
                false
            }
        };
        let ty = operand.ty.filter(|_| valid).map(|ty| match ty.interval() {
            Some(interval) => widen::within(ty, interval.negated()),
            None => ty,
        });
        Checked::new(Node::Negate(Box::new(operand.node)), ty, expr.span.clone())
    }

    pub(super) fn binary(
        &mut self,
        expr: &Expr,
        operator: Operator,
        operands: &[Expr; 2],
    ) -> Checked {
        let [left, right] = operands;
        let left = self.check(left);
        let right = self.check(right);
        if left.ty.is_none() || right.ty.is_none() {
            return Checked::broken(expr.span.clone());
        }
        match operator {
            Operator::Equal | Operator::NotEqual => self.equality(expr, operator, left, right),
            Operator::In => self.membership(expr, left, right),
            Operator::Less
            | Operator::LessOrEqual
            | Operator::Greater
            | Operator::GreaterOrEqual => self.order(expr, operator, left, right),
            _ => self.arithmetic(expr, operator, left, right),
        }
    }

    fn report_operands(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: &Checked,
        right: &Checked,
    ) -> Checked {
        let (Some(a), Some(b)) = (left.shape(), right.shape()) else {
            return Checked::broken(expr.span.clone());
        };
        let add = operator == Operator::Add;
        let message = match (a, b) {
            (Shape::List(a), Shape::List(b)) if add => format!(
                "`+` cannot join lists whose elements have different types: {} and {}",
                widen::describe_type(a),
                widen::describe_type(b)
            ),
            (a, b) => format!(
                "`{}` cannot be applied to {} and {}",
                operator.as_str(),
                widen::describe(a),
                widen::describe(b)
            ),
        };
        let unquoted = |number: &Checked, text: &Checked| {
            let digits =
                text.constant_text().filter(|_| number.shape().is_some_and(widen::is_number))?;
            Decimal::parse(digits).ok()?;
            Some(format!("write the number without quotes: `{digits}`"))
        };
        let help = match (a, b) {
            _ if !add && unquoted(left, right).is_some() => unquoted(left, right),
            _ if !add && unquoted(right, left).is_some() => unquoted(right, left),
            (Shape::Date(_), Shape::Timestamp) => {
                Some(format!("use the calendar date: `date({})`", self.source_of(&right.span)))
            }
            (Shape::Timestamp, Shape::Date(_)) => {
                Some(format!("use the calendar date: `date({})`", self.source_of(&left.span)))
            }
            (a, b) if add && widen::is_text(a) && widen::is_number(b) => {
                Some(format!("convert it with `string({})`", self.source_of(&right.span)))
            }
            (a, b) if add && widen::is_number(a) && widen::is_text(b) => {
                Some(format!("convert it with `string({})`", self.source_of(&left.span)))
            }
            _ => None,
        };
        let origin = right.origin.clone().or_else(|| left.origin.clone());
        self.report(codes::EXPRESSION_TYPE, expr.span.clone(), message, "incompatible types")
            .help(help)
            .origin(origin);
        Checked::broken(expr.span.clone())
    }

    fn arithmetic(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: Checked,
        right: Checked,
    ) -> Checked {
        let span = expr.span.clone();
        let (Some(a), Some(b)) = (left.ty.clone(), right.ty.clone()) else {
            return Checked::broken(span);
        };
        let pii = a.pii || b.pii;
        let numbers = widen::is_number(&a.shape) && widen::is_number(&b.shape);
        let ints = a.shape == Shape::Int && b.shape == Shape::Int;
        let add = operator == Operator::Add;
        let division = matches!(operator, Operator::Divide | Operator::Remainder);
        let result = match (&a.shape, &b.shape) {
            _ if division && !numbers => {
                return self.report_operands(expr, operator, &left, &right);
            }
            _ if division && !ints => {
                return self.decimal_division(expr, operator, &left, &right);
            }
            _ if numbers => {
                let (Some((x, places)), Some((y, more))) = (widen::number(&a), widen::number(&b))
                else {
                    return Checked::broken(span);
                };
                let interval = match operator {
                    Operator::Add => x.plus(y),
                    Operator::Subtract => x.minus(y),
                    Operator::Multiply => x.times(y),
                    Operator::Divide => x.divided(y, 0, 0, Rounding::Down),
                    _ => x.remainders(y),
                };
                if ints {
                    Type::int_within(interval)
                } else if operator == Operator::Multiply {
                    let unit = product_unit(&a, &b);
                    Type { unit, ..Type::decimal_within(interval, places + more) }
                } else {
                    let same = self.joins_one_currency(expr, operator, &left, &right);
                    let unit = a.unit.clone().or_else(|| b.unit.clone()).filter(|_| same);
                    Type { unit, ..Type::decimal_within(interval, places.max(more)) }
                }
            }
            (x, y) if add && widen::is_text(x) && widen::is_text(y) => {
                let chars_max = a.chars_max().zip(b.chars_max()).map(|(x, y)| x.saturating_add(y));
                Type::of(Shape::Text { chars_max, values: None })
            }
            (Shape::List(_), Shape::List(_)) if add => return self.append(expr, left, right),
            _ => return self.report_operands(expr, operator, &left, &right),
        };
        let valid = self.present(&left) & self.present(&right);
        if division {
            self.nonzero(&right);
        }
        let text = widen::is_text(&result.shape);
        let pieces = if text { [left.pieces(), right.pieces()].concat() } else { Vec::new() };
        let ty = valid.then_some(Type { pii, ..result });
        let node = Node::Binary(operator, Box::new([left.node, right.node]));
        Checked { pieces, ..Checked::new(node, ty, span) }
    }

    fn append(&mut self, expr: &Expr, left: Checked, right: Checked) -> Checked {
        let valid = self.present(&left) & self.present(&right);
        let elements = |side: &Checked| side.ty.as_ref().and_then(|ty| ty.limits.elements_max);
        let elements_max = elements(&left).zip(elements(&right)).map(|(a, b)| a.saturating_add(b));
        let (nodes, ty) =
            self.joined(expr.span.clone(), "the elements of both lists", vec![left, right]);
        let ty = ty.map(|ty| Type { limits: Limits { elements_max, ..ty.limits }, ..ty });
        match <[Node; 2]>::try_from(nodes) {
            Ok(nodes) => Checked::new(
                Node::Binary(Operator::Add, Box::new(nodes)),
                ty.filter(|_| valid),
                expr.span.clone(),
            ),
            Err(_) => Checked::broken(expr.span.clone()),
        }
    }

    fn decimal_division(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: &Checked,
        right: &Checked,
    ) -> Checked {
        let (a, b) = (self.source_of(&left.span), self.source_of(&right.span));
        let (message, help) = if operator == Operator::Divide {
            (
                "`/` divides only integers, because a decimal quotient must be rounded",
                Some(format!(
                    "use `div({a}, {b}, 2, \"half_even\")` with the number of decimal places and the rounding mode"
                )),
            )
        } else {
            ("`%` works only with integers", None)
        };
        self.report(codes::EXPRESSION_TYPE, expr.span.clone(), message, "not integers").help(help);
        Checked::broken(expr.span.clone())
    }

    /// Requires that a divisor is known not to be zero.
    pub(super) fn nonzero(&mut self, divisor: &Checked) {
        let known = match divisor.node.constant() {
            Some(Value::Int(value)) => *value != 0,
            Some(Value::Decimal(value)) => !value.is_zero(),
            _ => {
                let numbers = divisor.ty.as_ref().and_then(Type::interval);
                let by_type = numbers.is_some_and(|numbers| !numbers.contains(Decimal::ZERO));
                let by_facts = |path| match divisor.node {
                    Node::Call(Function::Size, _) => self.facts.size_min(path) > 0,
                    _ => self.facts.is_nonzero(path),
                };
                by_type || divisor.path.as_deref().is_some_and(by_facts)
            }
        };
        if known {
            return;
        }
        let written = self.source_of(&divisor.span);
        let help = match (divisor.node.constant(), &divisor.path) {
            (Some(_), _) => Some("divide by a number other than zero".to_owned()),
            (None, Some(_)) => Some(format!("guard it: `{written} != 0 ? … : …`")),
            (None, None) => Some(
                "compute the divisor in a `value.compute` step and guard it with `!= 0`".to_owned(),
            ),
        };
        let message = match divisor.node.constant() {
            Some(_) => "division by zero".to_owned(),
            None => format!("`{written}` may be zero"),
        };
        self.report(codes::MAY_FAIL, divisor.span.clone(), message, "the divisor").help(help);
    }

    /// Requires that two amounts, or those in two lists or records, have one currency, and reports
    /// a problem otherwise.
    pub(super) fn one_currency(
        &mut self,
        span: &Range<usize>,
        what: &str,
        left: &Checked,
        right: &Checked,
    ) -> bool {
        let (Some(a), Some(b)) = (&left.ty, &right.ty) else { return true };
        let Some((a, b)) = a.differing_units(b) else { return true };
        let origin = right.origin.clone().or_else(|| left.origin.clone());
        let message = format!("{what} amounts of different currencies");
        let (left, right) = (self.source_of(&left.span), self.source_of(&right.span));
        let label = if left.is_empty() || right.is_empty() {
            format!("one amount is in {a}, another in {b}")
        } else {
            format!("`{left}` is in {a}, `{right}` in {b}")
        };
        self.report(codes::CURRENCY_MISMATCH, span.clone(), message, label)
            .help("convert one of the amounts first, in a `money.convert` step".to_owned())
            .origin(origin);
        false
    }

    fn joins_one_currency(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: &Checked,
        right: &Checked,
    ) -> bool {
        let what = format!("`{}` combines", operator.as_str());
        self.one_currency(&expr.span, &what, left, right)
    }

    fn order(&mut self, expr: &Expr, operator: Operator, left: Checked, right: Checked) -> Checked {
        let (left, right) = self.adopt_types(left, right);
        let fits = match (left.shape(), right.shape()) {
            (Some(a), Some(b)) => are_ordered(a, b),
            _ => return Checked::broken(expr.span.clone()),
        };
        if !fits {
            return self.report_operands(expr, operator, &left, &right);
        }
        let valid = self.present(&left) & self.present(&right);
        self.joins_one_currency(expr, operator, &left, &right);
        let ty = valid.then(|| truth([&left, &right]));
        self.comparison(expr, operator, left, right, ty)
    }

    fn equality(
        &mut self,
        expr: &Expr,
        operator: Operator,
        left: Checked,
        right: Checked,
    ) -> Checked {
        let (left, right) = self.adopt_types(left, right);
        let (Some(a), Some(b)) = (left.ty.clone(), right.ty.clone()) else {
            return Checked::broken(expr.span.clone());
        };
        if !self.joins_one_currency(expr, operator, &left, &right) {
            return Checked::broken(expr.span.clone());
        }
        if !are_equal_kind(&a, &b) {
            return self.report_operands(expr, operator, &left, &right);
        }
        let ty = truth([&left, &right]);
        self.comparison(expr, operator, left, right, Some(ty))
    }

    fn membership(&mut self, expr: &Expr, left: Checked, right: Checked) -> Checked {
        let span = expr.span.clone();
        let (Some(a), Some(Type { shape: Shape::List(element), .. })) = (&left.ty, &right.ty)
        else {
            let message = format!(
                "`in` expects a list, found {}",
                right.shape().map(widen::describe).unwrap_or_default()
            );
            self.report(codes::EXPRESSION_TYPE, right.span, message, "not a list");
            return Checked::broken(span);
        };
        let inside = Checked { ty: Some(element.as_ref().clone()), ..right.clone() };
        if !self.joins_one_currency(expr, Operator::In, &left, &inside) {
            return Checked::broken(span);
        }
        if !widen::is_empty_list(&Shape::List(Arc::clone(element))) && !are_equal_kind(a, element) {
            return self.report_operands(expr, Operator::In, &left, &inside);
        }
        // Each text in the list is compared, so each must be a possible value.
        if let Some(Value::List(texts)) = right.node.constant() {
            for text in texts.iter().filter_map(Value::as_text) {
                let constant = Checked {
                    ty: Some(widen::type_of_literal(&Value::Text(text.clone()))),
                    node: Node::Const(Value::Text(text.clone())),
                    ..Checked::broken(right.span.clone())
                };
                self.adopt_types(left.clone(), constant);
            }
        }
        let valid = self.present(&right);
        let ty = valid.then(|| truth([&left, &right]));
        let (holds, fails) = self.membership_facts(&left, &right);
        let node = Node::Binary(Operator::In, Box::new([left.node, right.node]));
        Checked { if_true: holds, if_false: fails, ..Checked::new(node, ty, span) }
    }

    /// Gives a literal text the type of the value that it is compared with: a currency, a date or a
    /// timestamp. Reports a literal that the other value can never have.
    fn adopt_types(&mut self, left: Checked, right: Checked) -> (Checked, Checked) {
        match (left.constant_text().is_some(), right.constant_text().is_some()) {
            (true, false) => {
                let left = self.adopt_type(left, &right);
                (left, right)
            }
            (false, true) => {
                let right = self.adopt_type(right, &left);
                (left, right)
            }
            _ => (left, right),
        }
    }

    fn adopt_type(&mut self, constant: Checked, other: &Checked) -> Checked {
        let (Some(text), Some(ty)) = (constant.constant_text(), &other.ty) else { return constant };
        let text = text.to_owned();
        if let Shape::Text { values: Some(values), .. } = &ty.shape {
            if !values.iter().any(|value| value.as_ref() == text) {
                let known: Vec<&str> = values.iter().map(AsRef::as_ref).collect();
                let help = closest(&text, known.iter().copied())
                    .map(|near| format!("did you mean `{near}`?"))
                    .unwrap_or_else(|| format!("use {}", ty.shape));
                let message = format!("`{}` is never `{text}`", self.source_of(&other.span));
                self.report(codes::WRONG_TYPE, constant.span.clone(), message, "impossible value")
                    .help(help)
                    .origin(other.origin.clone());
                return Checked::broken(constant.span);
            }
            return constant;
        }
        let stricter = matches!(ty.shape, Shape::Currency | Shape::Date(_) | Shape::Timestamp);
        match literal::read(&text, &ty.shape).filter(|_| stricter) {
            None => constant,
            Some(Ok(value)) => Checked {
                ty: Some(Type::of(ty.shape.clone())),
                node: Node::Const(value),
                ..constant
            },
            Some(Err(bad)) => {
                self.report(bad.code, constant.span.clone(), bad.message, bad.label).help(bad.help);
                Checked::broken(constant.span)
            }
        }
    }
}

/// Returns the type of a condition about these values: personal data if one of them contains some.
pub(super) fn truth<'c>(about: impl IntoIterator<Item = &'c Checked>) -> Type {
    let pii = about.into_iter().any(Checked::contains_pii);
    Type::of(Shape::Bool).with_pii(pii)
}

fn product_unit(a: &Type, b: &Type) -> Option<Unit> {
    match (&a.unit, &b.unit) {
        (Some(unit), None) | (None, Some(unit)) => Some(unit.clone()),
        _ => None,
    }
}

/// Returns whether values of the two shapes can be ordered.
pub(super) fn are_ordered(a: &Shape, b: &Shape) -> bool {
    (widen::is_number(a) && widen::is_number(b))
        || (widen::is_text(a) && widen::is_text(b))
        || matches!((a, b), (Shape::Date(_), Shape::Date(_)) | (Shape::Timestamp, Shape::Timestamp))
}

fn are_equal_kind(a: &Type, b: &Type) -> bool {
    match (&a.shape, &b.shape) {
        (Shape::Null, _) | (_, Shape::Null) => true,
        (Shape::Json, _) | (_, Shape::Json) => false,
        _ => widen::join(a, b).is_some(),
    }
}

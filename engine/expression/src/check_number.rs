//! Functions that return numbers: `decimal`, `sum`, `round`, `div`.

use oms_core::diagnostic::{closest, codes};
use oms_core::money::{DIGITS_MAX, Decimal, Rounding};
use oms_core::value::{Interval, Shape, Type, Value};

use super::check::{Checked, Checker};
use super::eval::ELEMENTS_MAX;
use super::node::{Function, Node};
use super::precedence::{Level, operand};
use super::syntax::Expr;
use super::widen;

/// The maximum number of decimals that a rounding can keep. The rates of a conversion have the same
/// number.
const PLACES_MAX: i64 = 12;

impl Checker<'_> {
    /// Checks `decimal(text)`, which requires that the text is known to be a decimal.
    pub(super) fn decimal(&mut self, expr: &Expr, arg: Checked) -> Checked {
        let span = expr.span.clone();
        if let Some(text) = arg.constant_text() {
            return match Decimal::parse(text) {
                Ok(number) => {
                    let value = Value::Decimal(number);
                    let ty = widen::type_of_literal(&value);
                    Checked::new(Node::Const(value), Some(ty), span)
                }
                Err(_) => {
                    let message = format!("`{text}` is not a decimal");
                    self.report(codes::WRONG_TYPE, arg.span.clone(), message, "not a decimal")
                        .help("write it like `12.30`".to_owned());
                    Checked::broken(span)
                }
            };
        }
        let ty = arg.ty.as_ref().map(parsed_decimal);
        if !self.present(&arg) {
            return Checked { ty, ..Checked::broken(span) };
        }
        if !arg.path.as_ref().is_some_and(|path| self.facts.is_decimal(path)) {
            let written = self.source_of(&arg.span);
            let message = format!("`{written}` might not be a decimal");
            let help = format!(
                "guard it: `is_decimal({written}) ? … : …`, or add a fallback: `decimal({written}, …)`"
            );
            self.report(codes::MAY_FAIL, arg.span.clone(), message, "can be any text")
                .help(help)
                .origin(arg.origin.clone());
            return Checked { ty, ..Checked::broken(span) };
        }
        Checked::new(Node::Call(Function::Decimal, vec![arg.node]), ty, span)
    }

    pub(super) fn sum(&mut self, expr: &Expr, arg: Checked, element: &Type) -> Checked {
        let span = expr.span.clone();
        let valid = self.present(&arg);
        self.warn_if_unbounded(&arg);
        let pii = element.pii || arg.ty.as_ref().is_some_and(|ty| ty.pii);
        let list = arg.ty.as_ref().and_then(|ty| ty.limits.elements_max);
        let count = list.unwrap_or(u64::MAX).min(ELEMENTS_MAX as u64);
        let summed = element.interval().map(|interval| interval.summed(count));
        let (function, ty) = match (&element.shape, summed) {
            (Shape::Int, Some(interval)) => (Function::SumInt, Type::int_within(interval)),
            (Shape::Null, _) if !element.nullable => {
                (Function::SumInt, Type::int_within(Interval::only(Decimal::ZERO)))
            }
            (Shape::Decimal { scale, .. }, Some(interval)) => {
                (Function::Sum, Type::decimal_within(interval, *scale))
            }
            _ => {
                self.wrong_argument("sum", "a list of numbers", &arg);
                return Checked::broken(span);
            }
        };
        if element.nullable {
            let written = self.source_of(&arg.span);
            let message = format!("an element of `{written}` may be missing");
            let list = operand(written, Level::Member);
            let help = format!("skip missing elements: `{list}.map(x, x != null, x)`");
            self.report(codes::MAY_BE_MISSING, arg.span, message, "used as if all were present")
                .help(help)
                .origin(arg.origin);
            return Checked::broken(span);
        }
        let ty = Type { pii, unit: element.unit.clone(), ..ty };
        Checked::new(Node::Call(function, vec![arg.node]), valid.then_some(ty), span)
    }

    fn number(&mut self, name: &str, arg: &Checked) -> Option<(Interval, u32)> {
        let Some(number) = widen::number(arg.ty.as_ref()?) else {
            self.wrong_argument(name, "a number", arg);
            return None;
        };
        self.present(arg).then_some(number)
    }

    fn places_and_mode(&mut self, places: &Expr, mode: &Expr) -> Option<(u32, Rounding)> {
        let places = self.check(places);
        let mode = self.check(mode);
        let kept = match places.node.constant() {
            Some(Value::Int(kept)) if (0..=PLACES_MAX).contains(kept) => u32::try_from(*kept).ok(),
            _ => None,
        };
        if kept.is_none() && places.ty.is_some() {
            let message =
                format!("the number of decimal places must be a constant from 0 to {PLACES_MAX}");
            self.report(codes::EXPRESSION_TYPE, places.span, message, "invalid number of places");
        }
        let rounding = mode.constant_text().and_then(|text| text.parse::<Rounding>().ok());
        if rounding.is_none() && mode.ty.is_some() {
            let names = Rounding::ALL.iter().map(|mode| mode.as_str());
            let near = closest(mode.constant_text().unwrap_or_default(), names.clone());
            let known = || names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            let help = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("use one of {}", known()),
            };
            self.report(codes::EXPRESSION_TYPE, mode.span, "not a rounding mode", "unknown mode")
                .help(help);
        }
        Some((kept?, rounding?))
    }

    pub(super) fn round(
        &mut self,
        expr: &Expr,
        number: &Expr,
        places: &Expr,
        mode: &Expr,
    ) -> Checked {
        let span = expr.span.clone();
        let number = self.check(number);
        let known = self.number("round", &number);
        let how = self.places_and_mode(places, mode);
        let (Some((interval, _)), Some((places, mode)), Some(ty)) = (known, how, number.ty) else {
            return Checked::broken(span);
        };
        let rounded = Type::decimal_within(interval.rounded(places, mode), places);
        let ty = Type { pii: ty.pii, unit: ty.unit, ..rounded };
        let node = Node::Round { places, mode, operand: Box::new(number.node) };
        Checked::new(node, Some(ty), span)
    }

    pub(super) fn division(
        &mut self,
        expr: &Expr,
        operands: [&Expr; 2],
        places: &Expr,
        mode: &Expr,
    ) -> Checked {
        let span = expr.span.clone();
        let [a, b] = operands.map(|operand| self.check(operand));
        let known = (self.number("div", &a), self.number("div", &b));
        if known.1.is_some() {
            self.nonzero(&b);
        }
        let how = self.places_and_mode(places, mode);
        let (Some((interval, _)), Some((by, scale)), Some((places, mode))) =
            (known.0, known.1, how)
        else {
            return Checked::broken(span);
        };
        let (Some(dividend), Some(divisor)) = (a.ty, b.ty) else { return Checked::broken(span) };
        // An amount divided by a plain number is an amount. An amount divided by an amount is a
        // plain number.
        let unit = if divisor.unit.is_none() { dividend.unit } else { None };
        let pii = dividend.pii || divisor.pii;
        let quotients = interval.divided(by, scale, places, mode);
        let node = Node::Divide { places, mode, operands: Box::new([a.node, b.node]) };
        let ty = Type { pii, unit, ..Type::decimal_within(quotients, places) };
        Checked::new(node, Some(ty), span)
    }
}

/// Returns the type of the decimals that texts of a type can represent.
pub(super) fn parsed_decimal(text: &Type) -> Type {
    let digits = text
        .chars_max()
        .map_or(DIGITS_MAX, |chars| u32::try_from(chars).unwrap_or(DIGITS_MAX).min(DIGITS_MAX));
    let shape = Shape::Decimal { integer_digits: digits, scale: digits };
    Type { pii: text.pii, ..Type::of(shape) }
}

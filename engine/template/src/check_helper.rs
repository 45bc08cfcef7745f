//! Checks of parameters and helper calls: their types, and which values a condition proves to be
//! present.

use std::ops::Range;

use handlebars::JsonValue;
use handlebars::template::{HelperTemplate, Parameter, TemplateElement};
use oms_core::diagnostic::{codes, did_you_mean};
use oms_core::money::Decimal;
use oms_core::value::{DateFormat, Shape, Type, parse_date};

use super::check::{Checker, Cursor};
use super::helpers::{BLOCKS, CALLS, PLURAL};
use super::problem::Fault;
use super::tag::{Argument, Call};

/// A parameter with a known type.
#[derive(Clone, Debug)]
pub(super) struct Operand {
    pub(super) ty: Type,
    /// The place of the value in the data, if it comes from the data.
    pub(super) place: Option<String>,
    /// The value, if it is a literal in the template.
    pub(super) literal: Option<JsonValue>,
    pub(super) span: Range<usize>,
}

/// Kinds of values that can be compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    Text,
    Bool,
    Date,
    Timestamp,
    Null,
}

impl<'t> Checker<'t> {
    /// Returns the meaning of a parameter and reports its problems.
    pub(super) fn operand(
        &mut self,
        param: &'t Parameter,
        at: &Argument,
        cursor: &Cursor<'_>,
    ) -> Option<Operand> {
        let span = at.span.clone();
        match param {
            Parameter::Literal(value) => self.literal(value, span, cursor),
            Parameter::Subexpression(inner) => match (inner.as_element(), &at.call) {
                (TemplateElement::Expression(call), Some(at)) => self.helper_call(call, at, cursor),
                _ => {
                    self.report_ambiguous(cursor);
                    None
                }
            },
            _ => {
                let known = self.path(cursor.text(&span), span.start, cursor)?;
                Some(Operand { ty: known.ty, place: Some(known.place), literal: None, span })
            }
        }
    }

    fn literal(
        &mut self,
        value: &JsonValue,
        span: Range<usize>,
        cursor: &Cursor<'_>,
    ) -> Option<Operand> {
        let shape = match value {
            JsonValue::Null => Shape::Null,
            JsonValue::Bool(_) => Shape::Bool,
            JsonValue::String(_) => Type::text().shape,
            JsonValue::Number(number) => {
                // Handlebars parses numbers with a decimal point as binary floating-point numbers.
                // Numbers that this would round are rejected.
                let written = Decimal::parse(cursor.text(&span)).ok();
                if written.is_none() || written != Decimal::parse(&number.to_string()).ok() {
                    let message = "this number cannot be represented exactly";
                    let fault = Fault::new(codes::TEMPLATE_SHAPE, span, message);
                    self.report(
                        cursor,
                        fault.help("write it as text, such as `\"1.50\"`".to_owned()),
                    );
                    return None;
                }
                if number.is_i64() { Shape::Int } else { Type::decimal().shape }
            }
            JsonValue::Array(_) | JsonValue::Object(_) => {
                let message = "a template cannot contain lists or records";
                self.report(cursor, Fault::new(codes::TEMPLATE_SHAPE, span, message));
                return None;
            }
        };
        Some(Operand { ty: Type::of(shape), place: None, literal: Some(value.clone()), span })
    }

    /// Checks a helper call and returns its value.
    pub(super) fn helper_call(
        &mut self,
        call: &'t HelperTemplate,
        at: &Call,
        cursor: &Cursor<'_>,
    ) -> Option<Operand> {
        let name = cursor.text(&at.name);
        let refuse = |message: String| Fault::new(codes::TEMPLATE_HELPER, at.name.clone(), message);
        if !CALLS.contains(&name) {
            let fault = if BLOCKS.contains(&name) {
                refuse(format!("`{name}` is a block"))
                    .help(format!("write `{{{{#{name} …}}}}…{{{{/{name}}}}}`"))
            } else {
                refuse(format!("unknown helper `{name}`")).help(did_you_mean(name, CALLS))
            };
            self.report(cursor, fault);
            return None;
        }
        if name == PLURAL {
            return self.plural(call, at, cursor);
        }
        if !self.settings(name, call, at, cursor) {
            return None;
        }
        let (least, most) = match name {
            "country" | "date" | "not" | "number" => (1, 1),
            "and" | "or" => (2, usize::MAX),
            _ => (2, 2),
        };
        if call.params.len() < least
            || call.params.len() > most
            || call.params.len() != at.params.len()
        {
            let takes =
                if most == least { values(least) } else { format!("at least {}", values(least)) };
            let message = format!("`{name}` expects {takes}, found {}", values(call.params.len()));
            self.report(cursor, refuse(message));
            return None;
        }
        let truth = Type::of(Shape::Bool);
        let ty = match (name, call.params.as_slice(), at.params.as_slice()) {
            ("and" | "or" | "not", params, places) => {
                let mut valid = true;
                let assumed = self.scopes.assume(Vec::new());
                for (param, place) in params.iter().zip(places) {
                    valid &= self.condition(param, place, cursor);
                    // `and` evaluates later operands only if the earlier ones are true, `or` only
                    // if they are false.
                    let present = self.present_when(param, place, name == "and", cursor);
                    self.scopes.assume(present);
                }
                self.scopes.restore(assumed);
                valid.then_some(truth)
            }
            ("country" | "date" | "money" | "number", params, places) => {
                self.format_call(name, params, places, at, cursor)
            }
            ("default", [value, instead], [value_at, instead_at]) => {
                let value = self.operand(value, value_at, cursor);
                let instead = self.operand(instead, instead_at, cursor);
                let (value, instead) = (value?, instead?);
                let pii = value.ty.pii || instead.ty.pii;
                let fits = value.ty.shape == Shape::Null
                    || self.printable(&value.ty.not_null(), value.span, cursor);
                (fits && self.printable(&instead.ty, instead.span, cursor))
                    .then(|| Type::text().with_pii(pii))
            }
            (_, [left, right], [left_at, right_at]) => {
                let left = self.operand(left, left_at, cursor);
                let right = self.operand(right, right_at, cursor);
                let (left, right) = (left?, right?);
                self.comparable(name, &left, &right, cursor).then_some(truth)
            }
            _ => None,
        }?;
        let span = at.name.clone();
        Some(Operand { ty, place: None, literal: None, span })
    }

    /// Checks the value of a condition, and returns whether its type is known.
    pub(super) fn condition(
        &mut self,
        param: &'t Parameter,
        at: &Argument,
        cursor: &Cursor<'_>,
    ) -> bool {
        let Some(operand) = self.operand(param, at, cursor) else {
            return false;
        };
        if matches!(operand.ty.shape, Shape::Decimal { .. })
            && operand.place.is_some()
            && !operand.ty.nullable
        {
            let name = cursor.text(&operand.span);
            let fault = Fault::new(
                codes::TEMPLATE_SHAPE,
                operand.span.clone(),
                format!("`{name}` is always present, so this condition is always true"),
            );
            let help = format!("to test for an amount other than zero, write `(ne {name} 0)`");
            self.report(cursor, fault.help(help).warning());
        }
        true
    }

    /// Returns the places whose values are present if a condition is true, or false. Reports no
    /// problems, because `operand` does.
    pub(super) fn present_when(
        &mut self,
        param: &'t Parameter,
        at: &Argument,
        holds: bool,
        cursor: &Cursor<'_>,
    ) -> Vec<String> {
        let place = |this: &Self, at: &Argument| {
            let known = this.scopes.resolve(cursor.text(&at.span), at.span.start).ok();
            known.map(|known| known.place)
        };
        match param {
            Parameter::Path(_) | Parameter::Name(_) if holds => {
                place(self, at).into_iter().collect()
            }
            Parameter::Subexpression(inner) => {
                let (TemplateElement::Expression(call), Some(at)) = (inner.as_element(), &at.call)
                else {
                    return Vec::new();
                };
                match (cursor.text(&at.name), call.params.as_slice(), at.params.as_slice()) {
                    ("not", [param], [at]) => self.present_when(param, at, !holds, cursor),
                    ("and", params, places) if holds => {
                        self.present_in_all(params, places, true, cursor)
                    }
                    ("or", params, places) if !holds => {
                        self.present_in_all(params, places, false, cursor)
                    }
                    (name @ ("eq" | "ne"), [left, right], [left_at, right_at]) => {
                        let (value, value_at, literal) = match (left, right) {
                            (value, Parameter::Literal(literal)) => (value, left_at, literal),
                            (Parameter::Literal(literal), value) => (value, right_at, literal),
                            _ => return Vec::new(),
                        };
                        // Either equal to a literal other than null, or not equal to null.
                        let there = (name == "eq") == holds && !literal.is_null()
                            || (name == "ne") == holds && literal.is_null();
                        match value {
                            Parameter::Path(_) if there => {
                                place(self, value_at).into_iter().collect()
                            }
                            _ => Vec::new(),
                        }
                    }
                    _ => Vec::new(),
                }
            }
            _ => Vec::new(),
        }
    }

    fn present_in_all(
        &mut self,
        params: &'t [Parameter],
        places: &[Argument],
        holds: bool,
        cursor: &Cursor<'_>,
    ) -> Vec<String> {
        let each = params.iter().zip(places);
        each.flat_map(|(param, at)| self.present_when(param, at, holds, cursor)).collect()
    }

    /// Reports values that cannot be compared. Returns whether they can be compared.
    fn comparable(
        &mut self,
        name: &str,
        left: &Operand,
        right: &Operand,
        cursor: &Cursor<'_>,
    ) -> bool {
        let ordered = !matches!(name, "eq" | "ne");
        let mut kinds = [Kind::Null; 2];
        for (operand, kind) in [left, right].into_iter().zip(&mut kinds) {
            let shown = cursor.text(&operand.span);
            let found = kind_of(&operand.ty.shape);
            let refused = match found {
                None => true,
                Some(found) => {
                    *kind = found;
                    ordered
                        && !matches!(found, Kind::Number | Kind::Date | Kind::Timestamp)
                        && operand.literal.is_none()
                }
            };
            if refused {
                let message =
                    format!("`{name}` cannot compare `{shown}`, which is {}", operand.ty.shape);
                self.report(
                    cursor,
                    Fault::new(codes::TEMPLATE_SHAPE, operand.span.clone(), message),
                );
                return false;
            }
            if ordered && operand.ty.nullable {
                let message = format!("`{shown}` may be missing, but `{name}` requires a value");
                let fault =
                    Fault::new(codes::TEMPLATE_MAY_BE_MISSING, operand.span.clone(), message);
                self.report(cursor, fault.help(format!("wrap it in `{{{{#if {shown}}}}}`")));
                return false;
            }
        }
        for ((literal, kind), (other, other_kind)) in
            [((left, kinds[0]), (right, kinds[1])), ((right, kinds[1]), (left, kinds[0]))]
        {
            let Some(value) = &literal.literal else { continue };
            if let Some(message) = never(value, kind, &other.ty.shape, other_kind) {
                let fault = Fault::new(codes::TEMPLATE_SHAPE, literal.span.clone(), message);
                let help = match &other.ty.shape {
                    Shape::Text { values: Some(values), .. } => value
                        .as_str()
                        .and_then(|v| did_you_mean(v, values.iter().map(AsRef::as_ref))),
                    _ => None,
                };
                self.report(cursor, fault.help(help));
                return false;
            }
        }
        let text_is_literal =
            |operand: &Operand| operand.literal.as_ref().is_some_and(JsonValue::is_string);
        let fits = kinds[0] == kinds[1] && (!ordered || kinds[0] != Kind::Text)
            || kinds.contains(&Kind::Null) && !ordered
            || text_is_literal(left) && kinds[1] != Kind::Bool
            || text_is_literal(right) && kinds[0] != Kind::Bool;
        if !fits {
            let message = format!(
                "{} and {} {}",
                left.ty.shape,
                right.ty.shape,
                if ordered { "cannot be ordered" } else { "are never equal" }
            );
            let span = left.span.start..right.span.end;
            self.report(cursor, Fault::new(codes::TEMPLATE_SHAPE, span, message));
        }
        fits
    }
}

/// Returns a message if a literal can never equal a value of this shape.
fn never(value: &JsonValue, kind: Kind, shape: &Shape, other: Kind) -> Option<String> {
    let text = value.as_str()?;
    let fits = match (shape, other) {
        (Shape::Text { values: Some(values), .. }, _) => values.iter().any(|v| v.as_ref() == text),
        (_, Kind::Number) => Decimal::parse(text).is_ok(),
        (_, Kind::Date) => parse_date(text, DateFormat::Iso).is_some(),
        // Timestamps are compared as text in their one format, which sorts in the order of time.
        (_, Kind::Timestamp) => {
            text.parse::<jiff::Timestamp>().is_ok_and(|instant| format!("{instant:.3}") == text)
        }
        _ => kind == Kind::Text,
    };
    let form = match other {
        Kind::Timestamp => " in the form `2025-12-31T00:00:00.000Z`",
        Kind::Date => " in the form `2025-12-31`",
        _ => "",
    };
    (!fits).then(|| format!("`{text}` is not {shape}{form}"))
}

fn kind_of(shape: &Shape) -> Option<Kind> {
    Some(match shape {
        Shape::Int | Shape::Decimal { .. } => Kind::Number,
        Shape::Text { .. } | Shape::Currency | Shape::Email | Shape::Uri => Kind::Text,
        Shape::Bool => Kind::Bool,
        Shape::Date(_) => Kind::Date,
        Shape::Timestamp => Kind::Timestamp,
        Shape::Null => Kind::Null,
        Shape::List(_) | Shape::Record(_) | Shape::Json | Shape::Broken => return None,
    })
}

/// Formats a number of values, such as "2 values".
pub(super) fn values(count: usize) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} value{plural}")
}

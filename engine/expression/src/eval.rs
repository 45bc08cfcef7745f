//! Evaluates a checked tree. Evaluation borrows values where possible and looks up no names. Its
//! duration is limited, because lists are bounded and so is the number of elements that one
//! evaluation visits.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;
use std::sync::Arc;

use jiff::civil::Date;
use oms_core::money::Decimal;
use oms_core::time_zone::TimeZone;
use oms_core::value::{Record, Value};

use super::node::{Base, Coercion, Loop, LoopKind, Node};
use super::problem::EvalError;
use super::syntax::Operator;

/// The maximum number of elements of a list that an expression creates, or that an expression or a
/// `for_each` runs over.
pub const ELEMENTS_MAX: usize = 10_000;

/// The maximum number of element visits in one evaluation. It is enough for nested loops over two
/// lists of almost a thousand elements, and limits the duration to some tens of milliseconds.
pub(super) const VISITS_MAX: usize = 1_000_000;
/// The number of text bytes that count as one visit.
const BYTES_PER_VISIT: usize = 64;

/// The value of names that are not available.
static NOTHING: Value = Value::Null;

/// The values that an expression can use. Each must have the type declared in the scope.
#[derive(Clone, Copy, Debug)]
pub struct Env<'a> {
    /// The order.
    pub order: &'a Value,
    /// The run.
    pub run: &'a Value,
    /// The outputs of the steps by their index.
    pub steps: &'a [Value],
    /// The element, in a `for_each`.
    pub item: Option<&'a Value>,
    /// The position of the element, in a `for_each`.
    pub index: Option<&'a Value>,
    /// The failure, in a catch step.
    pub error: Option<&'a Value>,
    /// How the order arrived, in `order.key`.
    pub intake: Option<&'a Value>,
    /// The current row, in `table.update`.
    pub row: Option<&'a Value>,
}

impl Env<'static> {
    /// Creates an environment without values, for constants.
    pub fn empty() -> Self {
        Self {
            order: &NOTHING,
            run: &NOTHING,
            steps: &[],
            item: None,
            index: None,
            error: None,
            intake: None,
            row: None,
        }
    }
}

/// The variable of a loop, linked to those of the enclosing loops.
struct Frame<'a> {
    value: &'a Value,
    outer: Option<&'a Self>,
}

/// The state of an evaluation.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    env: &'a Env<'a>,
    frame: Option<&'a Frame<'a>>,
    /// The number of visits left.
    left: &'a Cell<usize>,
}

type Evaluated<'a> = Result<Cow<'a, Value>, EvalError>;

impl<'a> Place<'a> {
    /// Starts an evaluation that counts its visits down from [`VISITS_MAX`] in `left`.
    pub(super) const fn new(env: &'a Env<'a>, left: &'a Cell<usize>) -> Self {
        Self { env, frame: None, left }
    }

    /// Counts visits. Fails if there are too many.
    pub(super) fn visit(self, elements: usize) -> Result<(), EvalError> {
        let left = self.left.get().checked_sub(elements);
        self.left.set(left.ok_or(EvalError::TooMuch { limit: VISITS_MAX })?);
        Ok(())
    }

    fn base(self, base: Base) -> &'a Value {
        match base {
            Base::Order => self.env.order,
            Base::Run => self.env.run,
            Base::Step(index) => self.env.steps.get(index).unwrap_or(&NOTHING),
            Base::Item => self.env.item.unwrap_or(&NOTHING),
            Base::Index => self.env.index.unwrap_or(&NOTHING),
            Base::Error => self.env.error.unwrap_or(&NOTHING),
            Base::Intake => self.env.intake.unwrap_or(&NOTHING),
            Base::Row => self.env.row.unwrap_or(&NOTHING),
            Base::Local(outwards) => {
                let mut frame = self.frame;
                for _ in 0..outwards {
                    frame = frame.and_then(|frame| frame.outer);
                }
                frame.map_or(&NOTHING, |frame| frame.value)
            }
        }
    }
}

fn owned<'a>(value: Value) -> Evaluated<'a> {
    Ok(Cow::Owned(value))
}

impl Node {
    /// Evaluates the node.
    pub(super) fn eval<'a>(&'a self, place: Place<'a>) -> Evaluated<'a> {
        match self {
            Self::Const(value) | Self::Bound(value) => Ok(Cow::Borrowed(value)),
            Self::Path { base, fields } => {
                let mut value = place.base(*base);
                for position in fields {
                    value = value.as_record().map_or(&NOTHING, |record| record.at(*position));
                }
                Ok(Cow::Borrowed(value))
            }
            Self::Field(operand, position) => Ok(match operand.eval(place)? {
                Cow::Borrowed(value) => {
                    Cow::Borrowed(value.as_record().map_or(&NOTHING, |record| record.at(*position)))
                }
                Cow::Owned(value) => {
                    Cow::Owned(value.as_record().map_or(Value::Null, |r| r.at(*position).clone()))
                }
            }),
            Self::At(operand, position) => {
                let list = operand.eval(place)?;
                owned(elements(&list)?.get(*position).cloned().ok_or(EvalError::Mistyped)?)
            }
            Self::Not(operand) => owned(Value::Bool(!operand.is_true(place)?)),
            Self::Negate(operand) => owned(match operand.eval(place)?.as_ref() {
                Value::Int(value) => Value::Int(value.checked_neg().ok_or(EvalError::Overflow)?),
                value => Value::Decimal(-decimal(value)?),
            }),
            Self::Binary(operator, operands) => {
                let [left, right] = operands.as_ref();
                let (left, right) = (left.eval(place)?, right.eval(place)?);
                place.visit(work(*operator, &left, &right))?;
                owned(binary(*operator, &left, &right)?)
            }
            Self::And(operands) => {
                let [left, right] = operands.as_ref();
                owned(Value::Bool(left.is_true(place)? && right.is_true(place)?))
            }
            Self::Or(operands) => {
                let [left, right] = operands.as_ref();
                owned(Value::Bool(left.is_true(place)? || right.is_true(place)?))
            }
            Self::If(parts) => {
                let [condition, yes, no] = parts.as_ref();
                if condition.is_true(place)? { yes.eval(place) } else { no.eval(place) }
            }
            Self::Call(function, args) => function.call(args, place),
            Self::Round { places, mode, operand } => {
                owned(Value::Decimal(decimal(&*operand.eval(place)?)?.round(*places, *mode)))
            }
            Self::Divide { places, mode, operands } => {
                let [left, right] = operands.as_ref();
                let dividend = decimal(&*left.eval(place)?)?;
                let divisor = decimal(&*right.eval(place)?)?;
                let quotient = dividend.div(divisor, *places, *mode);
                owned(Value::Decimal(quotient.map_err(|_| EvalError::Overflow)?))
            }
            Self::Day(instant, zone) => owned(Value::Date(day(&*instant.eval(place)?, zone)?)),
            Self::Loop(looping) => looping.eval(place),
            Self::List(nodes) => {
                let values = nodes.iter().map(|node| Ok(node.eval(place)?.into_owned()));
                owned(Value::List(values.collect::<Result<Arc<[Value]>, EvalError>>()?))
            }
            Self::Record(ty, nodes) => {
                let values = nodes.iter().map(|node| Ok(node.eval(place)?.into_owned()));
                let fields = values.collect::<Result<Vec<Value>, EvalError>>()?;
                owned(Value::Record(Arc::new(Record::new(Arc::clone(ty), fields))))
            }
            Self::Concat(parts) => {
                let mut text = String::new();
                for part in parts {
                    match part.eval(place)?.as_ref() {
                        Value::Text(part) => text.push_str(part),
                        part => text.push_str(&part.display()),
                    }
                }
                place.visit(text.len() / BYTES_PER_VISIT)?;
                owned(Value::text(&text))
            }
            Self::Encoded(operand, part) => {
                let value = operand.eval(place)?;
                let mut encoded = String::new();
                part.encode(&value.display(), &mut encoded);
                place.visit(encoded.len() / BYTES_PER_VISIT)?;
                owned(Value::text(&encoded))
            }
            Self::Coerce(operand, coercion) => {
                let value = operand.eval(place)?;
                place.visit(visits_of_value(&value))?;
                owned(coercion.apply(value.into_owned()))
            }
        }
    }

    fn is_true(&self, place: Place<'_>) -> Result<bool, EvalError> {
        match self.eval(place)?.as_ref() {
            Value::Bool(value) => Ok(*value),
            _ => Err(EvalError::Mistyped),
        }
    }
}

impl Loop {
    fn eval<'a>(&'a self, place: Place<'a>) -> Evaluated<'a> {
        let list = self.list.eval(place)?;
        let list = elements(&list)?;
        check_list_len(list.len())?;
        let mut made = Vec::new();
        let mut count = 0_usize;
        for value in list.iter() {
            let frame = Frame { value, outer: place.frame };
            let within = Place { frame: Some(&frame), ..place };
            place.visit(1)?;
            if let Some(condition) = &self.condition
                && !condition.is_true(within)?
            {
                continue;
            }
            if self.kind == LoopKind::Map {
                made.push(self.body.eval(within)?.into_owned());
                continue;
            }
            let holds = self.body.is_true(within)?;
            match self.kind {
                LoopKind::All if !holds => return owned(Value::Bool(false)),
                LoopKind::Exists if holds => return owned(Value::Bool(true)),
                LoopKind::ExistsOne if holds => count += 1,
                LoopKind::Filter if holds => made.push(value.clone()),
                _ => {}
            }
        }
        owned(match self.kind {
            LoopKind::Map | LoopKind::Filter => Value::List(Arc::from(made)),
            LoopKind::All => Value::Bool(true),
            LoopKind::Exists => Value::Bool(false),
            LoopKind::ExistsOne => Value::Bool(count == 1),
        })
    }
}

impl Coercion {
    pub(super) fn apply(&self, value: Value) -> Value {
        match (self, value) {
            (Self::Number, Value::Int(number)) => Value::Decimal(Decimal::from_int(number)),
            (Self::Elements(each), Value::List(list)) => {
                Value::List(list.iter().map(|value| each.apply(value.clone())).collect())
            }
            (Self::Fields(ty, changed), Value::Record(record)) => {
                let mut fields: Vec<Value> =
                    record.iter().map(|(_, value)| value.clone()).collect();
                for (position, coercion) in changed {
                    if let Some(field) = fields.get_mut(*position) {
                        *field = coercion.apply(std::mem::take(field));
                    }
                }
                Value::Record(Arc::new(Record::new(Arc::clone(ty), fields)))
            }
            (_, value) => value,
        }
    }
}

/// Returns the number of elements of a value at all depths, plus the visits for its texts.
pub(super) fn visits_of_value(value: &Value) -> usize {
    match value {
        Value::List(list) => list.len() + list.iter().map(visits_of_value).sum::<usize>(),
        Value::Record(record) => record.iter().map(|(_, value)| visits_of_value(value)).sum(),
        Value::Text(text) => text.len() / BYTES_PER_VISIT,
        _ => 0,
    }
}

/// Returns the number of visits of an operator.
fn work(operator: Operator, left: &Value, right: &Value) -> usize {
    match (operator, right) {
        (Operator::In, Value::List(list)) => list.len().saturating_mul(1 + visits_of_value(left)),
        (_, Value::List(_) | Value::Record(_) | Value::Text(_)) => {
            visits_of_value(left) + visits_of_value(right)
        }
        _ => 0,
    }
}

pub(super) fn check_list_len(length: usize) -> Result<(), EvalError> {
    if length > ELEMENTS_MAX { Err(EvalError::TooLong { limit: ELEMENTS_MAX }) } else { Ok(()) }
}

pub(super) fn elements(value: &Value) -> Result<&Arc<[Value]>, EvalError> {
    value.as_list().ok_or(EvalError::Mistyped)
}

pub(super) fn decimal(value: &Value) -> Result<Decimal, EvalError> {
    match value {
        Value::Decimal(value) => Ok(*value),
        Value::Int(value) => Ok(Decimal::from_int(*value)),
        _ => Err(EvalError::Mistyped),
    }
}

fn day(instant: &Value, zone: &TimeZone) -> Result<Date, EvalError> {
    let Value::Timestamp(instant) = instant else { return Err(EvalError::Mistyped) };
    let day = zone.day(*instant);
    // A date has a year of four digits.
    if day.year() < 0 { Err(EvalError::NoDate) } else { Ok(day) }
}

fn binary(operator: Operator, left: &Value, right: &Value) -> Result<Value, EvalError> {
    Ok(match operator {
        Operator::Equal => Value::Bool(left == right),
        Operator::NotEqual => Value::Bool(left != right),
        Operator::Less => Value::Bool(compare(left, right)?.is_lt()),
        Operator::LessOrEqual => Value::Bool(compare(left, right)?.is_le()),
        Operator::Greater => Value::Bool(compare(left, right)?.is_gt()),
        Operator::GreaterOrEqual => Value::Bool(compare(left, right)?.is_ge()),
        Operator::In => Value::Bool(elements(right)?.contains(left)),
        _ => return arithmetic(operator, left, right),
    })
}

/// Compares two values of the same kind.
pub(super) fn compare(left: &Value, right: &Value) -> Result<Ordering, EvalError> {
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => Ok(a.cmp(b)),
        (Value::Text(a), Value::Text(b)) => Ok(a.cmp(b)),
        (Value::Date(a), Value::Date(b)) => Ok(a.cmp(b)),
        (Value::Timestamp(a), Value::Timestamp(b)) => Ok(a.cmp(b)),
        _ => Ok(decimal(left)?.cmp(&decimal(right)?)),
    }
}

pub(super) fn arithmetic(
    operator: Operator,
    left: &Value,
    right: &Value,
) -> Result<Value, EvalError> {
    let result = match (left, right) {
        (Value::Int(a), Value::Int(b)) => match operator {
            Operator::Add => a.checked_add(*b),
            Operator::Subtract => a.checked_sub(*b),
            Operator::Multiply => a.checked_mul(*b),
            Operator::Divide => a.checked_div(*b),
            Operator::Remainder => a.checked_rem(*b),
            _ => return Err(EvalError::Mistyped),
        }
        .map(Value::Int),
        (Value::Text(a), Value::Text(b)) => Some(Value::Text(Arc::from(format!("{a}{b}")))),
        (Value::List(a), Value::List(b)) => {
            check_list_len(a.len() + b.len())?;
            Some(Value::List(a.iter().chain(b.iter()).cloned().collect()))
        }
        _ => {
            let (a, b) = (decimal(left)?, decimal(right)?);
            match operator {
                Operator::Add => a.checked_add(b),
                Operator::Subtract => a.checked_sub(b),
                Operator::Multiply => a.checked_mul(b),
                _ => return Err(EvalError::Mistyped),
            }
            .map(Value::Decimal)
        }
    };
    result.ok_or(EvalError::Overflow)
}

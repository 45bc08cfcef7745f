//! Implementation of the functions.

use std::borrow::Cow;

use oms_core::money::Decimal;
use oms_core::value::Value;

use super::eval::{Place, arithmetic, check_list_len, compare, elements, visits_of_value};
use super::node::{Function, Node};
use super::problem::EvalError;
use super::syntax::Operator;

impl Function {
    /// Calls the function.
    pub(super) fn call<'a>(
        self,
        args: &'a [Node],
        place: Place<'a>,
    ) -> Result<Cow<'a, Value>, EvalError> {
        let (first, second) = match args {
            [first] => (first, None),
            [first, second] => (first, Some(second)),
            _ => return Err(EvalError::Mistyped),
        };
        let first = first.eval(place)?;
        // These two evaluate their second argument only if they need it.
        match (self, second) {
            (Self::Coalesce, Some(second)) => {
                return if first.is_null() { second.eval(place) } else { Ok(first) };
            }
            (Self::DecimalOr, Some(second)) => {
                return match Decimal::parse(text(&first)?) {
                    Ok(number) => Ok(Cow::Owned(Value::Decimal(number))),
                    Err(_) => second.eval(place),
                };
            }
            _ => {}
        }
        // Functions that look at no more than one element do not count as visits.
        if !matches!((self, first.as_ref()), (Self::Size | Self::Get, Value::List(_))) {
            place.visit(visits_of_value(&first))?;
        }
        let value = match second {
            None => self.call_unary(&first)?,
            Some(second) => self.call_binary(&first, &*second.eval(place)?)?,
        };
        Ok(Cow::Owned(value))
    }

    fn call_unary(self, value: &Value) -> Result<Value, EvalError> {
        Ok(match self {
            Self::Size => {
                let size = match value {
                    Value::List(list) => list.len(),
                    value => text(value)?.chars().count(),
                };
                Value::Int(i64::try_from(size).map_err(|_| EvalError::Overflow)?)
            }
            Self::Decimal => {
                Value::Decimal(Decimal::parse(text(value)?).map_err(|_| EvalError::Mistyped)?)
            }
            Self::IsDecimal => Value::Bool(Decimal::parse(text(value)?).is_ok()),
            Self::Sum | Self::SumInt => {
                let list = elements(value)?;
                check_list_len(list.len())?;
                let zero = if self == Self::SumInt {
                    Value::Int(0)
                } else {
                    Value::Decimal(Decimal::ZERO)
                };
                list.iter().try_fold(zero, |sum, value| arithmetic(Operator::Add, &sum, value))?
            }
            Self::Text => match value {
                Value::Text(text) => Value::Text(text.clone()),
                value => Value::text(&value.display()),
            },
            Self::Upper => Value::text(&text(value)?.to_uppercase()),
            Self::Lower => Value::text(&text(value)?.to_lowercase()),
            Self::UpperAscii => Value::text(&text(value)?.to_ascii_uppercase()),
            Self::LowerAscii => Value::text(&text(value)?.to_ascii_lowercase()),
            Self::Trim => Value::text(text(value)?.trim()),
            _ => return Err(EvalError::Mistyped),
        })
    }

    fn call_binary(self, left: &Value, right: &Value) -> Result<Value, EvalError> {
        Ok(match self {
            Self::Min if compare(left, right)?.is_le() => left.clone(),
            Self::Max if compare(left, right)?.is_ge() => left.clone(),
            Self::Min | Self::Max => right.clone(),
            Self::StartsWith => Value::Bool(text(left)?.starts_with(text(right)?)),
            Self::EndsWith => Value::Bool(text(left)?.ends_with(text(right)?)),
            Self::Contains => Value::Bool(text(left)?.contains(text(right)?)),
            Self::Get => {
                let Value::Int(index) = right else { return Err(EvalError::Mistyped) };
                let index = usize::try_from(*index).ok();
                index
                    .and_then(|index| elements(left).ok()?.get(index).cloned())
                    .unwrap_or(Value::Null)
            }
            _ => return Err(EvalError::Mistyped),
        })
    }
}

fn text(value: &Value) -> Result<&str, EvalError> {
    value.as_text().map(AsRef::as_ref).ok_or(EvalError::Mistyped)
}

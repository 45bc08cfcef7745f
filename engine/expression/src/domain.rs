//! The known properties of a single value: whether it is null, its possible constants, its bounds.

use std::cmp::Ordering;

use oms_core::money::Decimal;
use oms_core::value::{Interval, Shape, Type, Value};

use super::eval::compare;
use super::syntax::Operator;

/// The known set of possible values.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Domain {
    /// Whether it is null, if known.
    null: Option<bool>,
    /// The only possible constants, apart from null.
    only: Option<Vec<Value>>,
    /// Constants that it cannot be.
    never: Vec<Value>,
    lower: Option<Bound>,
    upper: Option<Bound>,
    /// Whether two facts about it contradict each other.
    contradictory: bool,
}

/// A bound of a range.
#[derive(Clone, Debug, PartialEq)]
struct Bound {
    value: Value,
    included: bool,
}

impl Domain {
    /// Returns all values of a type.
    pub(super) fn of(ty: &Type) -> Self {
        let known = !ty.nullable && ty.shape != Shape::Json;
        let only: Option<Vec<Value>> = match &ty.shape {
            Shape::Bool => Some(vec![Value::Bool(true), Value::Bool(false)]),
            Shape::Text { values: Some(values), .. } => {
                Some(values.iter().cloned().map(Value::Text).collect())
            }
            _ => None,
        };
        let number = |number: Decimal| match (&ty.shape, number.scale()) {
            (Shape::Int, 0) => {
                i64::try_from(number.mantissa()).map_or(Value::Decimal(number), Value::Int)
            }
            _ => Value::Decimal(number),
        };
        let bound = |value| Some(Bound { value: number(value), included: true });
        let (least, most) = match ty.limits.numbers {
            Some(numbers) if known => (bound(numbers.min()), bound(numbers.max())),
            _ => (None, None),
        };
        Self { null: known.then_some(false), only, lower: least, upper: most, ..Self::default() }
    }

    /// Returns the domain of a value that is known to be null, or known not to be.
    pub(super) fn null(null: bool) -> Self {
        Self { null: Some(null), ..Self::default() }
    }

    /// Returns the domain of a value that equals one of these constants.
    pub(super) fn one_of(values: Vec<Value>) -> Self {
        Self { null: Some(false), only: Some(values), ..Self::default() }
    }

    /// Returns the domain of a value that equals none of these constants.
    pub(super) fn none_of(values: Vec<Value>) -> Self {
        Self { never: values, ..Self::default() }
    }

    /// Returns the domain of a value for which this comparison with a constant holds. `whole` tells
    /// whether it is an integer.
    pub(super) fn from_comparison(operator: Operator, constant: &Value, whole: bool) -> Self {
        if constant.is_null() {
            return match operator {
                Operator::Equal => Self::null(true),
                Operator::NotEqual => Self::null(false),
                _ => Self::default(),
            };
        }
        let bound = |included| match (constant, included) {
            (Value::Int(value), false) if whole => {
                let next = match operator {
                    Operator::Less => value.checked_sub(1),
                    _ => value.checked_add(1),
                };
                let value = next.map_or_else(|| constant.clone(), Value::Int);
                Some(Bound { value, included: next.is_some() })
            }
            _ => Some(Bound { value: constant.clone(), included }),
        };
        let there = Self::null(false);
        match operator {
            Operator::Equal => Self::one_of(vec![constant.clone()]),
            Operator::NotEqual => Self::none_of(vec![constant.clone()]),
            Operator::Less => Self { upper: bound(false), ..there },
            Operator::LessOrEqual => Self { upper: bound(true), ..there },
            Operator::Greater => Self { lower: bound(false), ..there },
            Operator::GreaterOrEqual => Self { lower: bound(true), ..there },
            _ => Self::default(),
        }
    }

    /// Returns whether no value is possible.
    pub(super) fn is_empty(&self) -> bool {
        self.contradictory || self.null == Some(false) && !self.has_values()
    }

    /// Returns whether it is known not to be null.
    pub(super) fn is_present(&self) -> bool {
        self.null == Some(false)
    }

    /// Returns whether it is known not to be this constant.
    pub(super) fn excludes(&self, constant: &Value) -> bool {
        self.null == Some(true)
            || self.never.contains(constant)
            || self.only.as_ref().is_some_and(|only| !only.contains(constant))
            || !self.in_bounds(constant)
    }

    /// Returns the smallest possible integer, if it is known to be one.
    pub(super) fn int_min(&self) -> Option<i64> {
        let constants = || {
            let ints = self.only.as_ref()?.iter().map(|value| match value {
                Value::Int(value) => Some(*value),
                _ => None,
            });
            ints.collect::<Option<Vec<i64>>>()?.into_iter().min()
        };
        let least = match &self.lower {
            Some(Bound { value: Value::Int(value), .. }) => {
                // Every excluded constant moves the bound at most once.
                (0..self.never.len()).fold(*value, |least, _| {
                    if self.never.contains(&Value::Int(least)) {
                        least.saturating_add(1)
                    } else {
                        least
                    }
                })
            }
            _ => return constants(),
        };
        Some(constants().map_or(least, |known| known.max(least)))
    }

    /// Narrows an interval to the bounds of the value.
    pub(super) fn narrow(&self, interval: Interval) -> Interval {
        let number = |bound: &Option<Bound>| match bound.as_ref().map(|bound| &bound.value) {
            Some(Value::Int(value)) => Some(Decimal::from_int(*value)),
            Some(Value::Decimal(value)) => Some(*value),
            _ => None,
        };
        let min = number(&self.lower).unwrap_or(interval.min());
        let max = number(&self.upper).unwrap_or(interval.max());
        let narrowed = Interval::new(min, max).and_then(|bounds| bounds.within(interval));
        narrowed.unwrap_or(interval)
    }

    /// Returns the intersection of both domains.
    #[must_use]
    pub(super) fn and(&self, other: &Self) -> Self {
        let conflict = matches!((self.null, other.null), (Some(a), Some(b)) if a != b);
        let only = match (&self.only, &other.only) {
            (Some(a), Some(b)) => {
                Some(a.iter().filter(|value| b.contains(value)).cloned().collect())
            }
            (a, b) => a.clone().or_else(|| b.clone()),
        };
        let mut never = self.never.clone();
        never.extend(other.never.iter().filter(|value| !self.never.contains(value)).cloned());
        Self {
            null: self.null.or(other.null),
            only,
            never,
            lower: tighter(&self.lower, &other.lower, Ordering::Greater),
            upper: tighter(&self.upper, &other.upper, Ordering::Less),
            contradictory: self.contradictory || other.contradictory || conflict,
        }
    }

    /// Returns a domain that contains both domains.
    #[must_use]
    pub(super) fn or(&self, other: &Self) -> Self {
        if self.is_empty() {
            return other.clone();
        }
        if other.is_empty() {
            return self.clone();
        }
        let null = if self.null == other.null { self.null } else { None };
        // A domain that is always null adds no values to the other domain.
        match (self.null, other.null) {
            (Some(true), _) => return Self { null, ..other.clone() },
            (_, Some(true)) => return Self { null, ..self.clone() },
            _ => {}
        }
        let only = self.only.as_ref().zip(other.only.as_ref()).map(|(a, b)| {
            a.iter().chain(b.iter().filter(|value| !a.contains(value))).cloned().collect()
        });
        let never = self.never.iter().filter(|value| other.never.contains(value)).cloned();
        Self {
            null,
            only,
            never: never.collect(),
            lower: wider(&self.lower, &other.lower, Ordering::Less),
            upper: wider(&self.upper, &other.upper, Ordering::Greater),
            contradictory: false,
        }
    }

    fn has_values(&self) -> bool {
        if let Some(only) = &self.only {
            let possible = |value: &&Value| !self.never.contains(value) && self.in_bounds(value);
            return only.iter().any(|value| possible(&value));
        }
        let (Some(least), Some(most)) = (&self.lower, &self.upper) else { return true };
        match compare(&least.value, &most.value) {
            Ok(Ordering::Greater) => false,
            Ok(Ordering::Equal) => {
                least.included && most.included && !self.never.contains(&least.value)
            }
            _ => true,
        }
    }

    fn in_bounds(&self, value: &Value) -> bool {
        let beyond = |bound: &Option<Bound>, side: Ordering| {
            bound.as_ref().is_some_and(|bound| match compare(value, &bound.value) {
                Ok(Ordering::Equal) => !bound.included,
                Ok(order) => order == side,
                Err(_) => false,
            })
        };
        !beyond(&self.lower, Ordering::Less) && !beyond(&self.upper, Ordering::Greater)
    }
}

/// Returns the bound that excludes more values. `side` is the direction of the tighter bound.
fn tighter(a: &Option<Bound>, b: &Option<Bound>, side: Ordering) -> Option<Bound> {
    let (Some(first), Some(second)) = (a, b) else { return a.clone().or_else(|| b.clone()) };
    Some(match compare(&first.value, &second.value) {
        Ok(Ordering::Equal) if !second.included => second.clone(),
        Ok(order) if order != Ordering::Equal && order != side => second.clone(),
        _ => first.clone(),
    })
}

/// Returns the bound that excludes fewer values; `None` if one of them is missing.
fn wider(a: &Option<Bound>, b: &Option<Bound>, side: Ordering) -> Option<Bound> {
    let (first, second) = (a.as_ref()?, b.as_ref()?);
    Some(match compare(&first.value, &second.value) {
        Ok(Ordering::Equal) if second.included => second.clone(),
        Ok(order) if order != Ordering::Equal && order != side => second.clone(),
        Ok(_) => first.clone(),
        Err(_) => return None,
    })
}

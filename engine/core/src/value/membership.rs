//! Whether a value belongs to a type.

use super::data::Value;
use super::interval::Interval;
use super::types::{Shape, Type};
use crate::money::Decimal;

impl Type {
    /// Returns whether a value has this type. Tests use it to compare the types that a check
    /// derives with the values that an evaluation gives.
    pub fn contains(&self, value: &Value) -> bool {
        let number = match value {
            Value::Int(number) => Some(Decimal::from_int(*number)),
            Value::Decimal(number) => Some(*number),
            _ => None,
        };
        let lies_in = |numbers: Interval| number.is_none_or(|number| numbers.contains(number));
        let elements = value.as_list().map_or(0, |list| list.len() as u64);
        if !self.limits.numbers.is_none_or(lies_in)
            || self.limits.elements_max.is_some_and(|max| elements > max)
        {
            return false;
        }
        match (value, &self.shape) {
            (Value::Missing | Value::Null, shape) => self.nullable || *shape == Shape::Json,
            (Value::Bool(_), Shape::Bool)
            | (Value::Int(_), Shape::Int)
            | (Value::Date(_), Shape::Date(_))
            | (Value::Timestamp(_), Shape::Timestamp)
            | (Value::Text(_), Shape::Currency | Shape::Email | Shape::Uri)
            | (_, Shape::Json) => true,
            (Value::Text(text), Shape::Text { chars_max, values }) => {
                chars_max.is_none_or(|max| text.chars().count() as u64 <= max)
                    && values.as_ref().is_none_or(|values| values.contains(text))
            }
            (Value::Decimal(number), Shape::Decimal { integer_digits, scale }) => {
                number.integer_digits() <= *integer_digits && number.scale() <= *scale
            }
            (Value::List(list), Shape::List(element)) => {
                list.iter().all(|value| element.contains(value))
            }
            (Value::Record(record), Shape::Record(layout)) => layout
                .fields()
                .iter()
                .enumerate()
                .all(|(position, field)| field.ty.contains(record.at(position))),
            _ => false,
        }
    }
}

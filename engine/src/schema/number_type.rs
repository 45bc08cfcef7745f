//! The types of numbers: their digits and their bounds.

use oms_core::money::{Decimal, Rounding};
use oms_core::value::{Interval, JsonKind, Type};
use serde_json::{Map, Value as Json};

/// Returns the type of an integer and the kind for the reader.
pub(super) fn integer(map: &Map<String, Json>) -> (Type, JsonKind) {
    let min = map.get("minimum").and_then(Json::as_i64).unwrap_or(i64::MIN);
    let max = map.get("maximum").and_then(Json::as_i64).unwrap_or(i64::MAX);
    (Type::int_within(bounds(map, Interval::whole(), 0)), JsonKind::Int { min, max })
}

/// Returns the type of an integer between two others and the kind for the reader.
pub(super) fn integer_within(min: i64, max: i64) -> (Type, JsonKind) {
    let interval = Interval::new(Decimal::from_int(min), Decimal::from_int(max));
    (Type::int_within(interval.unwrap_or_else(Interval::whole)), JsonKind::Int { min, max })
}

/// Returns the type of a decimal in a text, a number or either of them, and the kind for the
/// reader.
pub(super) fn decimal(map: &Map<String, Json>, text: bool, number: bool) -> (Type, JsonKind) {
    let (integer_digits, scale) = decimal_size(map);
    let kind = JsonKind::Decimal { text, number, integer_digits, scale };
    let by_digits = Interval::of_digits(integer_digits, scale);
    (Type::decimal_within(bounds(map, by_digits, scale), scale), kind)
}

/// Returns the maximum number of digits of a decimal before and after the decimal point.
pub(super) fn decimal_size(map: &Map<String, Json>) -> (u32, u32) {
    let digits =
        |key: &str| map.get(key).and_then(Json::as_u64).and_then(|n| u32::try_from(n).ok());
    let scale = digits("x-scale").unwrap_or(4);
    let precision = digits("x-precision").unwrap_or_else(|| scale.saturating_add(15));
    (precision.saturating_sub(scale), scale)
}

/// Returns the part of an interval that the bounds of a schema leave for a number with at most
/// `scale` decimal places.
fn bounds(map: &Map<String, Json>, all: Interval, scale: u32) -> Interval {
    let bound = |key: &str| Decimal::from_json_number(&map.get(key)?.to_string()).ok();
    let step = Decimal::from_parts(1, scale).unwrap_or(Decimal::ZERO);
    let above = |number: Decimal| {
        let next = number.round(scale, Rounding::Floor).checked_add(step);
        next.unwrap_or(number)
    };
    let below = |number: Decimal| {
        let next = number.round(scale, Rounding::Ceiling).checked_sub(step);
        next.unwrap_or(number)
    };
    let mins = [
        bound("minimum").map(|number| number.round(scale, Rounding::Ceiling)),
        bound("exclusiveMinimum").map(above),
    ];
    let maxs = [
        bound("maximum").map(|number| number.round(scale, Rounding::Floor)),
        bound("exclusiveMaximum").map(below),
    ];
    let min = mins.into_iter().flatten().max().unwrap_or(all.min());
    let max = maxs.into_iter().flatten().min().unwrap_or(all.max());
    let declared = Interval::new(min, max).and_then(|declared| declared.within(all));
    let declared = declared.unwrap_or(all);
    constants(map).and_then(|constants| constants.within(declared)).unwrap_or(declared)
}

/// Returns the smallest interval that contains the numbers in `enum` or `const`. Numbers that do
/// not fit a decimal are ignored, because they are rejected anyway.
fn constants(map: &Map<String, Json>) -> Option<Interval> {
    let number = |value: &Json| match value {
        Json::String(text) => Decimal::parse(text).ok(),
        Json::Number(number) => Decimal::from_json_number(&number.to_string()).ok(),
        _ => None,
    };
    let listed = map.get("enum").and_then(Json::as_array).map(Vec::as_slice);
    let values = map.get("const").map(std::slice::from_ref).or(listed)?;
    values.iter().filter_map(number).map(Interval::only).reduce(Interval::enclosing)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(table: &[(Json, &str, &str)], ty: impl Fn(&Map<String, Json>) -> Type) {
        for (schema, min, max) in table {
            let interval = ty(schema.as_object().unwrap()).interval().unwrap();
            let decimal = |text| Decimal::parse(text).unwrap();
            assert_eq!((interval.min(), interval.max()), (decimal(min), decimal(max)), "{schema}");
        }
    }

    #[test]
    fn the_bounds_of_integers_are_integers() {
        check(
            &[
                (json!({ "minimum": 1, "maximum": 9 }), "1", "9"),
                (json!({ "exclusiveMinimum": 0, "exclusiveMaximum": 10 }), "1", "9"),
                (json!({ "minimum": 0.5, "maximum": 9.5 }), "1", "9"),
                (json!({ "exclusiveMinimum": 0.5, "exclusiveMaximum": 9.5 }), "1", "9"),
                (json!({ "enum": [3, 1, 2, null] }), "1", "3"),
                (json!({ "enum": [3, 1, 2], "minimum": 2 }), "2", "3"),
                (json!({ "const": 4 }), "4", "4"),
            ],
            |map| integer(map).0,
        );
    }

    #[test]
    fn exclusive_bounds_of_decimals_exclude_the_bound() {
        check(
            &[
                (
                    json!({ "exclusiveMinimum": -10, "exclusiveMaximum": 10, "x-scale": 2 }),
                    "-9.99",
                    "9.99",
                ),
                (json!({ "exclusiveMinimum": 0, "maximum": 1 }), "0.0001", "1"),
                (json!({ "minimum": 1, "exclusiveMinimum": 1, "maximum": 2 }), "1.0001", "2"),
                (json!({ "enum": ["1.50", "20"] }), "1.50", "20"),
            ],
            |map| decimal(map, true, false).0,
        );
    }
}

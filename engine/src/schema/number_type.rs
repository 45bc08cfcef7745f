//! The types of numbers: their digits, and the numbers between which their bounds let them lie.

use serde_json::{Map, Value as Json};

use crate::money::Decimal;
use crate::value::{Interval, JsonKind, Type};

/// Returns the type of a whole number, and what the reader asserts.
pub(super) fn integer(map: &Map<String, Json>) -> (Type, JsonKind) {
    let min = map.get("minimum").and_then(Json::as_i64).unwrap_or(i64::MIN);
    let max = map.get("maximum").and_then(Json::as_i64).unwrap_or(i64::MAX);
    integer_within(min, max)
}

/// Returns the type of a whole number between two others, and what the reader asserts.
pub(super) fn integer_within(min: i64, max: i64) -> (Type, JsonKind) {
    let interval = Interval::new(Decimal::from_int(min), Decimal::from_int(max));
    (Type::int_within(interval.unwrap_or_else(Interval::whole)), JsonKind::Int { min, max })
}

/// Returns the type of a decimal in a text, in a number or in either, and what the reader asserts.
pub(super) fn decimal(map: &Map<String, Json>, text: bool, number: bool) -> (Type, JsonKind) {
    let (integer_digits, scale) = decimal_size(map);
    let kind = JsonKind::Decimal { text, number, integer_digits, scale };
    (Type::decimal_within(bounds(map, integer_digits, scale), scale), kind)
}

/// Returns how many digits a decimal may have before and after the point.
pub(super) fn decimal_size(map: &Map<String, Json>) -> (u32, u32) {
    let digits =
        |key: &str| map.get(key).and_then(Json::as_u64).and_then(|n| u32::try_from(n).ok());
    let scale = digits("x-scale").unwrap_or(4);
    let precision = digits("x-precision").unwrap_or_else(|| scale.saturating_add(15));
    (precision.saturating_sub(scale), scale)
}

/// Returns between which numbers a decimal with these digits lies.
fn bounds(map: &Map<String, Json>, integer_digits: u32, scale: u32) -> Interval {
    let by_digits = Interval::of_digits(integer_digits, scale);
    let bound = |key: &str| Decimal::from_json_number(&map.get(key)?.to_string()).ok();
    let most = |a: Option<Decimal>, b: Option<Decimal>, pick: fn(Decimal, Decimal) -> Decimal| {
        a.zip(b).map(|(a, b)| pick(a, b)).or(a).or(b)
    };
    let min = most(bound("minimum"), bound("exclusiveMinimum"), Decimal::max);
    let max = most(bound("maximum"), bound("exclusiveMaximum"), Decimal::min);
    let declared = Interval::new(min.unwrap_or(by_digits.min()), max.unwrap_or(by_digits.max()));
    declared.and_then(|declared| declared.within(by_digits)).unwrap_or(by_digits)
}

//! Operations on types: types of literals, common types, conversions from integers to
//! decimals, and descriptions for findings.

use std::collections::BTreeSet;
use std::sync::Arc;

use oms_core::money::Decimal;
use oms_core::value::{DateFormat, Interval, RecordType, Shape, Type, Value};

use super::node::Coercion;

/// Returns the type of a literal value.
pub(super) fn type_of_literal(value: &Value) -> Type {
    match value {
        Value::Missing | Value::Null => Type::of(Shape::Null).or_null(),
        Value::Bool(_) => Type::of(Shape::Bool),
        Value::Int(number) => Type::int_within(Interval::only(Decimal::from_int(*number))),
        Value::Decimal(number) => Type::decimal_within(Interval::only(*number), number.scale()),
        Value::Text(text) => Type::of(Shape::Text {
            chars_max: Some(text.chars().count() as u64),
            values: Some(Arc::from([Arc::clone(text)])),
        }),
        Value::Date(_) => Type::of(Shape::Date(DateFormat::Iso)),
        Value::Timestamp(_) => Type::of(Shape::Timestamp),
        Value::List(_) | Value::Record(_) | Value::Json(_) => Type::of(Shape::Json),
    }
}

/// Returns the range of a number and its maximum number of decimals.
pub(super) fn number(ty: &Type) -> Option<(Interval, u32)> {
    let scale = match &ty.shape {
        Shape::Decimal { scale, .. } => *scale,
        _ => 0,
    };
    Some((ty.interval()?, scale))
}

/// Restricts the type of a number to a range.
pub(super) fn within(ty: Type, interval: Interval) -> Type {
    let bounded = match &ty.shape {
        Shape::Int => Type::int_within(interval),
        Shape::Decimal { scale, .. } => Type::decimal_within(interval, *scale),
        _ => return ty,
    };
    Type { shape: bounded.shape, limits: bounded.limits, ..ty }
}

/// Returns the element type of `[]`. No value has it.
pub(super) const fn no_element() -> Type {
    Type::of(Shape::Null)
}

/// Returns whether it is the type of `[]`.
pub(super) fn is_empty_list(shape: &Shape) -> bool {
    matches!(shape, Shape::List(element) if element.shape == Shape::Null && !element.nullable)
}

/// Returns whether it is a number.
pub(super) const fn is_number(shape: &Shape) -> bool {
    matches!(shape, Shape::Int | Shape::Decimal { .. })
}

/// Returns whether a value of the type can be inserted into a text, and its maximum number of
/// characters there.
pub fn chars_of(ty: &Type) -> Option<Option<u64>> {
    Some(match ty.shape {
        Shape::Bool => Some(5),
        Shape::Int | Shape::Decimal { .. } => number(ty).map(|(interval, scale)| {
            let sign = u64::from(interval.has_negative());
            let point = u64::from(scale > 0);
            sign + u64::from(interval.integer_digits().max(1)) + point + u64::from(scale)
        }),
        Shape::Date(_) => Some(10),
        Shape::Timestamp => Some(24),
        Shape::Text { .. } | Shape::Currency | Shape::Email | Shape::Uri => ty.chars_max(),
        Shape::Null | Shape::List(_) | Shape::Record(_) | Shape::Json | Shape::Broken => {
            return None;
        }
    })
}

/// Returns whether it is text or written as text.
pub(super) const fn is_text(shape: &Shape) -> bool {
    matches!(shape, Shape::Text { .. } | Shape::Currency | Shape::Email | Shape::Uri)
}

/// Returns the type of a value that has one of the two types.
pub(super) fn join(a: &Type, b: &Type) -> Option<Type> {
    // An empty list adopts the element type of the other list.
    match (is_empty_list(&a.shape), is_empty_list(&b.shape)) {
        (true, false) if matches!(b.shape, Shape::List(_)) => {
            return Some(Type { nullable: a.nullable || b.nullable, ..b.clone() }.with_pii(a.pii));
        }
        (false, true) if matches!(a.shape, Shape::List(_)) => {
            return Some(Type { nullable: a.nullable || b.nullable, ..a.clone() }.with_pii(b.pii));
        }
        _ => {}
    }
    let joined = a.join(b)?;
    if let (Shape::Text { values: Some(left), .. }, Shape::Text { values: Some(right), .. }) =
        (&a.shape, &b.shape)
    {
        let values: BTreeSet<Arc<str>> = left.iter().chain(right.iter()).cloned().collect();
        let shape = Shape::Text {
            chars_max: joined.chars_max(),
            values: Some(values.into_iter().collect()),
        };
        return Some(Type { shape, ..joined });
    }
    Some(joined)
}

/// Returns the conversion that gives a value of type `found` decimals wherever `expected` has them,
/// and the resulting type. Returns `None` if no conversion is necessary.
pub(super) fn coercion(found: &Type, expected: &Type) -> Option<(Coercion, Type)> {
    let (coercion, shape) = match (&found.shape, &expected.shape) {
        (Shape::Int, Shape::Decimal { .. }) => {
            let interval = found.interval().unwrap_or_else(Interval::whole);
            (Coercion::Number, Type::decimal_within(interval, 0).shape)
        }
        (Shape::List(element), Shape::List(expected)) => {
            let (coercion, ty) = coercion(element, expected)?;
            (Coercion::Elements(Box::new(coercion)), Shape::List(Arc::new(ty)))
        }
        (Shape::Record(record), Shape::Record(expected)) => {
            let mut changed = Vec::new();
            let mut fields = Vec::with_capacity(record.fields().len());
            for (position, field) in record.fields().iter().enumerate() {
                let mut ty = field.ty.clone();
                if let Some(expected) = expected.field(&field.name)
                    && let Some((coercion, changed_ty)) = coercion(&field.ty, &expected.ty)
                {
                    changed.push((position, coercion));
                    ty = changed_ty;
                }
                fields.push((Arc::clone(&field.name), ty));
            }
            if changed.is_empty() {
                return None;
            }
            let ty = Arc::new(RecordType::new(fields));
            (Coercion::Fields(Arc::clone(&ty), changed), Shape::Record(ty))
        }
        _ => return None,
    };
    Some((coercion, Type { shape, ..found.clone() }))
}

/// Returns a description of a shape for "found …".
pub(super) fn describe(shape: &Shape) -> String {
    match shape {
        // To the author of a literal text, it is just a text.
        Shape::Text { .. } => "text".to_owned(),
        shape => shape.to_string(),
    }
}

/// Returns a description of a type for "found …".
pub(super) fn describe_type(ty: &Type) -> String {
    let perhaps = if ty.nullable && ty.shape != Shape::Null { " or null" } else { "" };
    format!("{}{perhaps}", describe(&ty.shape))
}

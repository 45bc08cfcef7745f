//! Types in words and in conversion: what a literal is, what two types have in common, where whole numbers become
//! decimals, and how a finding names what it found.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::node::Coercion;
use crate::value::{DateFormat, RecordType, Shape, Type, Value};

/// Digits of a decimal at the most.
const DIGITS_MAX: u32 = 28;
/// Digits of a whole number of 64 bits.
const INT_DIGITS: u32 = 19;

/// Returns the type of a value that stands in the file.
pub(super) fn type_of_literal(value: &Value) -> Type {
    match value {
        Value::Missing | Value::Null => Type::of(Shape::Null).or_null(),
        Value::Bool(_) => Type::of(Shape::Bool),
        Value::Int(_) => Type::of(Shape::Int),
        Value::Decimal(number) => Type::of(Shape::Decimal {
            integer_digits: number.integer_digits(),
            scale: number.scale(),
        }),
        Value::Text(text) => Type::of(Shape::Text {
            chars_max: Some(text.chars().count() as u64),
            values: Some(Arc::from([Arc::clone(text)])),
        }),
        Value::Date(_) => Type::of(Shape::Date(DateFormat::Iso)),
        Value::Timestamp(_) => Type::of(Shape::Timestamp),
        Value::List(_) | Value::Record(_) | Value::Json(_) => Type::of(Shape::Json),
    }
}

/// Returns the digits before and after the point that a number has at the most.
pub(super) fn digits(shape: &Shape, constant: Option<&Value>) -> Option<(u32, u32)> {
    match (shape, constant) {
        (Shape::Int, Some(Value::Int(value))) => {
            Some((value.unsigned_abs().checked_ilog10().map_or(0, |log| log + 1), 0))
        }
        (Shape::Int, _) => Some((INT_DIGITS, 0)),
        (Shape::Decimal { integer_digits, scale }, _) => Some((*integer_digits, *scale)),
        _ => None,
    }
}

/// A decimal with these digits, as many as there can be.
pub(super) fn decimal(integer_digits: u32, scale: u32) -> Shape {
    Shape::Decimal { integer_digits: integer_digits.min(DIGITS_MAX), scale: scale.min(DIGITS_MAX) }
}

/// Returns the type of the elements of `[]`: no value has it.
pub(super) const fn no_element() -> Type {
    Type::of(Shape::Null)
}

/// Tells whether it is the type of `[]`.
pub(super) fn is_empty_list(shape: &Shape) -> bool {
    matches!(shape, Shape::List(element) if element.shape == Shape::Null && !element.nullable)
}

/// Tells whether it is a number.
pub(super) const fn is_number(shape: &Shape) -> bool {
    matches!(shape, Shape::Int | Shape::Decimal { .. })
}

/// Returns whether a value of the shape can stand inside a text, and how many characters it has then at the most.
pub(super) const fn chars_of(shape: &Shape) -> Option<Option<u64>> {
    Some(match shape {
        Shape::Bool => Some(5),
        Shape::Int => Some(20),
        // A sign, a point, and the zero before it.
        Shape::Decimal { integer_digits, scale } => Some((*integer_digits + *scale) as u64 + 3),
        Shape::Date(_) => Some(10),
        Shape::Timestamp => Some(24),
        Shape::Text { .. } | Shape::Currency | Shape::Email | Shape::Uri => None,
        Shape::Null | Shape::List(_) | Shape::Record(_) | Shape::Json | Shape::Broken => {
            return None;
        }
    })
}

/// Tells whether it is text, or written as text.
pub(super) const fn is_text(shape: &Shape) -> bool {
    matches!(shape, Shape::Text { .. } | Shape::Currency | Shape::Email | Shape::Uri)
}

/// Returns the type of a value that has one of the two types.
pub(super) fn join(a: &Type, b: &Type) -> Option<Type> {
    // An empty list is one of whatever the other has.
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

/// Returns what makes a value of type `found` one that has decimals wherever `wanted` has, and its type then; nothing if
/// it is one already.
pub(super) fn coercion(found: &Type, wanted: &Type) -> Option<(Coercion, Type)> {
    let (coercion, shape) = match (&found.shape, &wanted.shape) {
        (Shape::Int, Shape::Decimal { .. }) => (Coercion::Number, decimal(INT_DIGITS, 0)),
        (Shape::List(element), Shape::List(wanted)) => {
            let (coercion, ty) = coercion(element, wanted)?;
            (Coercion::Elements(Box::new(coercion)), Shape::List(Arc::new(ty)))
        }
        (Shape::Record(record), Shape::Record(wanted)) => {
            let mut changed = Vec::new();
            let mut fields = Vec::with_capacity(record.fields().len());
            for (position, field) in record.fields().iter().enumerate() {
                let mut ty = field.ty.clone();
                if let Some(wanted) = wanted.field(&field.name)
                    && let Some((coercion, changed_ty)) = coercion(&field.ty, &wanted.ty)
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

/// Returns a shape in words for "found …".
pub(super) fn found(shape: &Shape) -> String {
    match shape {
        // A text that stands there is nothing more than a text to whoever wrote it.
        Shape::Text { .. } => "text".to_owned(),
        shape => shape.to_string(),
    }
}

/// Returns a type in words for "found …".
pub(super) fn found_type(ty: &Type) -> String {
    let perhaps = if ty.nullable && ty.shape != Shape::Null { " or null" } else { "" };
    format!("{}{perhaps}", found(&ty.shape))
}

/// Returns what to write where a value may be missing.
pub(super) fn guard(written: &str, is_path: bool, ty: &Type) -> String {
    let instead = match &ty.shape {
        Shape::Text { values: None, .. } => Some("\"\""),
        Shape::Int | Shape::Decimal { .. } => Some("0"),
        Shape::Bool => Some("false"),
        Shape::List(_) => Some("[]"),
        _ => None,
    };
    match (is_path, instead) {
        (true, Some(instead)) => {
            format!("guard it: `{written} != null ? {written} : {instead}`")
        }
        (true, None) => {
            format!("guard it with `{written} != null`, in the step's `when` or before `?` or `&&`")
        }
        (false, Some(instead)) => format!("give a fallback: `coalesce({written}, {instead})`"),
        (false, None) => format!("give a fallback: `coalesce({written}, …)`"),
    }
}

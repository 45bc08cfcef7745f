//! Unions: the cases that the facts leave possible, and the type of a field in these cases.

use std::sync::Arc;

use oms_core::value::{DateFormat, RecordType, Shape, Type, Value};

use super::facts::Facts;

/// Returns the type of a field of the record at `path` if `facts` hold.
pub(super) fn field_type(
    record: &RecordType,
    position: usize,
    path: Option<&str>,
    facts: &Facts,
) -> Option<Type> {
    let field = record.fields().get(position)?;
    let Some(path) = path.filter(|_| !record.cases().is_empty()) else {
        return Some(field.ty.clone());
    };
    let is_open = |case: &&Arc<RecordType>| {
        case.fields().iter().all(|field| facts.allows(&format!("{path}.{}", field.name), &field.ty))
    };
    let open = record.cases().iter().filter(is_open);
    let types: Vec<Option<&Type>> =
        open.map(|case| case.field(&field.name).map(|field| &field.ty)).collect();
    if types.is_empty() {
        return Some(field.ty.clone());
    }
    let narrowed = narrowed(&field.ty, &types);
    let nullable =
        narrowed.nullable || (field.ty.nullable && may_read_as_missing(record, position));
    Some(Type { nullable, ..narrowed })
}

/// Returns whether a value that fits its case can be read as missing. A field of several cases is
/// read in one form for all of them. If another case does not have the field, a value in another
/// form is read as missing.
fn may_read_as_missing(record: &RecordType, position: usize) -> bool {
    let Some(field) = record.fields().get(position) else { return true };
    let cases = record.cases();
    let with = cases.iter().filter_map(|case| case.field(&field.name));
    let with: Vec<&Type> = with.map(|field| &field.ty).collect();
    let in_one_form = |ty: &&Type| match &ty.shape {
        Shape::Date(format) => *format == DateFormat::Iso,
        Shape::List(_) | Shape::Record(_) => false,
        _ => true,
    };
    with.len() > 1 && with.len() < cases.len() && !with.iter().all(in_one_form)
}

/// Returns the type of a field that has one of the types in `cases`, in the layout of `merged`. If
/// a case lacks the field, the field may have any value there.
fn narrowed(merged: &Type, cases: &[Option<&Type>]) -> Type {
    let Some(known) = cases.iter().copied().collect::<Option<Vec<&Type>>>() else {
        return merged.clone();
    };
    let nullable = merged.nullable && known.iter().any(|ty| ty.nullable);
    let shape = match &merged.shape {
        Shape::Record(record) => {
            fields(record, &known).map(|record| Shape::Record(Arc::new(record)))
        }
        Shape::List(element) => {
            let elements = known.iter().map(|ty| match &ty.shape {
                Shape::List(element) => Some(element.as_ref()),
                _ => None,
            });
            let elements: Vec<Option<&Type>> = elements.collect();
            Some(Shape::List(Arc::new(narrowed(element, &elements))))
        }
        _ => None,
    };
    Type { nullable, shape: shape.unwrap_or_else(|| merged.shape.clone()), ..merged.clone() }
}

fn fields(merged: &RecordType, cases: &[&Type]) -> Option<RecordType> {
    let records: Vec<&Arc<RecordType>> =
        cases.iter().map(|ty| ty.as_record()).collect::<Option<_>>()?;
    let fields = merged.fields().iter().map(|field| {
        let types: Vec<Option<&Type>> =
            records.iter().map(|case| case.field(&field.name).map(|field| &field.ty)).collect();
        (Arc::clone(&field.name), narrowed(&field.ty, &types))
    });
    Some(RecordType::new(fields).with_cases(merged.cases().to_vec()))
}

/// Returns a condition on a constant of the union `written` under which a field is not missing.
pub(super) fn present_if(record: &RecordType, name: &str, written: &str) -> Option<String> {
    let has = |case: &Arc<RecordType>| case.field(name).is_some_and(|field| !field.ty.nullable);
    let (with, without): (Vec<_>, Vec<_>) = record.cases().iter().cloned().partition(has);
    if with.is_empty() {
        return None;
    }
    let constants = |case: &Arc<RecordType>, tag: &str| match &case.field(tag)?.ty.shape {
        Shape::Text { values: Some(values), .. } => Some(values.to_vec()),
        _ => None,
    };
    record.names().find_map(|tag| {
        let of = |cases: &[Arc<RecordType>]| {
            let values = cases.iter().map(|case| constants(case, tag));
            values.collect::<Option<Vec<_>>>().map(|values| values.concat())
        };
        let (expected, others) = (of(&with)?, of(&without)?);
        if expected.iter().any(|value| others.contains(value)) {
            return None;
        }
        let quoted: Vec<String> = expected
            .into_iter()
            .map(|text| oms_core::value::write_json(&Value::Text(text)))
            .collect();
        Some(match quoted.as_slice() {
            [only] => format!("{written}.{tag} == {only}"),
            several => format!("{written}.{tag} in [{}]", several.join(", ")),
        })
    })
}

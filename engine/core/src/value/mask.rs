//! Formats values for display, with a mask in place of personal data.

use serde_json::{Map, Value as Json};

use super::data::Value;
use super::json_write::to_json;
use super::types::{Shape, Type};

/// Returns a value as JSON. A mark such as `«email»` replaces every part whose type is personal
/// data.
pub fn masked(value: &Value, ty: &Type) -> Json {
    if value.is_null() {
        return Json::Null;
    }
    if ty.pii {
        return Json::String(mark(&ty.shape).to_owned());
    }
    match (value, &ty.shape) {
        (Value::Record(record), Shape::Record(layout)) => {
            let mut map = Map::new();
            for (name, value) in record.iter() {
                if matches!(value, Value::Missing) {
                    continue;
                }
                let shown = match layout.field(name) {
                    Some(field) => masked(value, &field.ty),
                    // A field that the type does not have may be personal.
                    None => Json::String("«hidden»".to_owned()),
                };
                map.insert(name.to_string(), shown);
            }
            Json::Object(map)
        }
        (Value::List(elements), Shape::List(element)) => {
            elements.iter().map(|value| masked(value, element)).collect()
        }
        _ => to_json(value),
    }
}

pub(super) const fn mark(shape: &Shape) -> &'static str {
    match shape {
        Shape::Email => "«email»",
        Shape::Text { .. } => "«text»",
        Shape::Int | Shape::Decimal { .. } => "«number»",
        Shape::Date(_) | Shape::Timestamp => "«date»",
        _ => "«hidden»",
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::value::Record;

    #[test]
    fn only_personal_data_is_replaced_by_a_mark() {
        let ty =
            Type::record([("email", Type::of(Shape::Email).with_pii(true)), ("sku", Type::text())]);
        let layout = ty.as_record().unwrap();
        let value = Value::Record(Arc::new(Record::new(
            Arc::clone(layout),
            vec![Value::text("jane@example.com"), Value::text("A")],
        )));
        assert_eq!(masked(&value, &ty).to_string(), r#"{"email":"«email»","sku":"A"}"#);
    }
}

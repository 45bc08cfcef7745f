//! The currencies of the amounts in a type.

use std::sync::Arc;

use super::types::{Field, RecordType, Shape, Type, Unit};

impl Type {
    /// Returns the type with other currencies. Cases of a union have none.
    #[must_use]
    pub fn map_units(&self, change: &impl Fn(&Unit) -> Option<Unit>) -> Self {
        let shape = match &self.shape {
            Shape::List(element) => Shape::List(Arc::new(element.map_units(change))),
            Shape::Record(record) => {
                let field = |field: &Field| (Arc::clone(&field.name), field.ty.map_units(change));
                let fields = record.fields().iter().map(field);
                let cases = record.cases().to_vec();
                Shape::Record(Arc::new(RecordType::new(fields).with_cases(cases)))
            }
            shape => shape.clone(),
        };
        Self { shape, unit: self.unit.as_ref().and_then(change), ..self.clone() }
    }

    /// Adds the currencies of the type and of its parts.
    pub fn collect_units<'a>(&'a self, units: &mut Vec<&'a Unit>) {
        units.extend(&self.unit);
        match &self.shape {
            Shape::List(element) => element.collect_units(units),
            Shape::Record(record) => {
                record.fields().iter().for_each(|field| field.ty.collect_units(units));
            }
            _ => {}
        }
    }
}

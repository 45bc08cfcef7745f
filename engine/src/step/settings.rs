//! The settings of a pipeline, as a plan uses them.

use std::sync::Arc;

use oms_core::value::{Record, RecordType, Shape, Type, Value};
use oms_expression::Scope;

/// The types and the values of settings.
#[derive(Clone, Debug)]
pub struct Settings {
    ty: Type,
    values: Value,
}

impl Settings {
    /// Creates settings from their names, types and values, sorted by name.
    pub(crate) fn new(settings: impl IntoIterator<Item = (Arc<str>, Type, Value)>) -> Self {
        let (mut types, mut values) = (Vec::new(), Vec::new());
        for (name, ty, value) in settings {
            types.push((name, ty));
            values.push(value);
        }
        let record = Arc::new(RecordType::new(types));
        let values = Value::Record(Arc::new(Record::new(Arc::clone(&record), values)));
        Self { ty: Type::of(Shape::Record(record)), values }
    }

    /// Adds the settings to the names that an expression can use.
    pub(crate) fn define(&self, scope: &mut Scope) {
        scope.set_settings(self.ty.clone(), self.values.clone());
    }
}

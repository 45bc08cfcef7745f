//! The settings of a pipeline, as a plan uses them.

use std::collections::BTreeSet;
use std::sync::Arc;

use oms_core::value::{Record, RecordType, Shape, Type, Value};
use oms_expression::Scope;

/// The types and the values of settings.
#[derive(Clone, Debug)]
pub struct Settings {
    ty: Type,
    values: Value,
    /// The settings whose values are only samples.
    unset: BTreeSet<Arc<str>>,
}

impl Settings {
    /// Creates settings from their names, types and values, sorted by name, and the names of those
    /// whose values are only samples.
    pub(crate) fn new(
        settings: impl IntoIterator<Item = (Arc<str>, Type, Value)>,
        unset: BTreeSet<Arc<str>>,
    ) -> Self {
        let (mut types, mut values) = (Vec::new(), Vec::new());
        for (name, ty, value) in settings {
            types.push((name, ty));
            values.push(value);
        }
        let record = Arc::new(RecordType::new(types));
        let values = Value::Record(Arc::new(Record::new(Arc::clone(&record), values)));
        Self { ty: Type::of(Shape::Record(record)), values, unset }
    }

    /// Creates the settings of an invalid section. References to them are not checked.
    pub(crate) fn broken() -> Self {
        let (ty, values) = (Type::of(Shape::Broken), Value::Missing);
        Self { ty, values, unset: BTreeSet::new() }
    }

    /// Returns the value of a setting.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.as_record()?.get(name)
    }

    /// Returns the names of the settings whose values are only samples.
    pub(crate) const fn unset(&self) -> &BTreeSet<Arc<str>> {
        &self.unset
    }

    /// Adds the settings to the names that an expression can use.
    pub(crate) fn define(&self, scope: &mut Scope) {
        scope.set_settings(self.ty.clone(), self.values.clone());
    }
}

//! Tables as a pipeline declares them: columns with exact types, a key, and the form that a row
//! takes.

mod column;
mod customer;
mod erased;

use std::sync::Arc;

pub use column::{Column, ColumnShape, ColumnTypeError};
pub use customer::{Customer, Identity};
pub use erased::{Erasing, RowCounts};

use crate::value::{RecordType, Type, Value};

/// A declared table. Only checked declarations become one.
#[derive(Clone, Debug, PartialEq)]
pub struct TableDef {
    /// Its name: `[a-z][a-z0-9_]*`, not beginning with `oms_`.
    pub name: Arc<str>,
    /// The columns in the order of the file.
    pub columns: Vec<Column>,
    /// Positions of the key's columns in `columns`; never empty.
    pub key: Vec<usize>,
    /// The type of a row; its fields are sorted by name.
    pub row: Arc<RecordType>,
}

impl TableDef {
    /// Puts a table together; the row type follows from the columns.
    pub fn new(name: Arc<str>, columns: Vec<Column>, key: Vec<usize>) -> Self {
        let row = Arc::new(RecordType::new(
            columns.iter().map(|column| (Arc::clone(&column.name), column.ty())),
        ));
        Self { name, columns, key, row }
    }

    /// Returns the columns of the key, in the order that the file gives.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|position| self.columns.get(*position))
    }

    /// Returns the values of the key's columns in a row; null for one that the row lacks.
    pub fn key_of<'v>(&self, row: &'v Value) -> impl Iterator<Item = &'v Value> {
        let record = row.as_record();
        self.key_columns().map(move |column| {
            record.and_then(|record| record.get(&column.name)).unwrap_or(&Value::Null)
        })
    }

    /// Returns a column by its name.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.as_ref() == name)
    }

    /// Returns the column with the id of the customer that a row belongs to.
    pub fn customer_id(&self) -> Option<&Column> {
        self.columns.iter().find(|column| column.customer && column.shape != ColumnShape::Email)
    }

    /// Returns the columns with e-mail addresses of the customer that a row belongs to.
    pub fn customer_emails(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.customer && column.shape == ColumnShape::Email)
    }

    /// Tells whether columns say which customer a row belongs to.
    pub fn names_customers(&self) -> bool {
        self.columns.iter().any(|column| column.customer)
    }

    /// Tells whether a column holds personal data.
    pub fn is_personal(&self) -> bool {
        self.columns.iter().any(|column| column.pii)
    }

    /// Returns the type of the key: a record of the key's columns.
    pub fn key_type(&self) -> Type {
        Type::record(self.key_columns().map(|column| (column.name.as_ref(), column.ty())))
    }
}

//! Declared tables, and how a pipeline uses them.

use std::sync::Arc;

use super::{Column, ColumnShape};
use crate::value::{RecordType, Type, Value};

/// A declared table that passed all checks.
#[derive(Clone, Debug, PartialEq)]
pub struct TableDef {
    /// The name, which matches `[a-z][a-z0-9_]*` and does not begin with `oms_`.
    pub name: Arc<str>,
    /// The columns, in the order of the file.
    pub columns: Vec<Column>,
    /// The positions of the key columns in `columns`. Never empty.
    pub key: Vec<usize>,
    /// The type of a row. Its fields are sorted by name.
    pub row: Arc<RecordType>,
}

impl TableDef {
    /// Creates a table. The type of a row is derived from the columns.
    pub fn new(name: Arc<str>, columns: Vec<Column>, key: Vec<usize>) -> Self {
        let row = Arc::new(RecordType::new(
            columns.iter().map(|column| (Arc::clone(&column.name), column.ty())),
        ));
        Self { name, columns, key, row }
    }

    /// Returns the key columns, in the order of the file.
    pub fn key_columns(&self) -> impl Iterator<Item = &Column> {
        self.key.iter().filter_map(|position| self.columns.get(*position))
    }

    /// Returns the values of the key columns in a row. A missing value is null.
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

    /// Returns the column with the id of the customer to whom a row belongs.
    pub fn customer_id(&self) -> Option<&Column> {
        self.columns.iter().find(|column| column.customer && column.shape != ColumnShape::Email)
    }

    /// Returns the columns with e-mail addresses of the customer to whom a row belongs.
    pub fn customer_emails(&self) -> impl Iterator<Item = &Column> {
        self.columns.iter().filter(|column| column.customer && column.shape == ColumnShape::Email)
    }

    /// Returns whether the table has columns that identify the customer to whom a row belongs.
    pub fn names_customers(&self) -> bool {
        self.columns.iter().any(|column| column.customer)
    }

    /// Returns whether at least one column contains personal data.
    pub fn is_personal(&self) -> bool {
        self.columns.iter().any(|column| column.pii)
    }

    /// Returns the type of the key: a record of the key columns.
    pub fn key_type(&self) -> Type {
        Type::record(self.key_columns().map(|column| (column.name.as_ref(), column.ty())))
    }
}

/// A declared table, and whether a step of the pipeline writes to it.
#[derive(Clone, Debug)]
pub struct TableUse {
    /// The table.
    pub table: Arc<TableDef>,
    /// Whether a step inserts or upserts rows.
    pub is_written: bool,
}

//! The tables of a pipeline: columns with exact types, a key, and the type of a row.

mod column;
mod customer;
mod erased;
mod existing;
mod table_def;

pub use column::{Column, ColumnShape, ColumnTypeError, ColumnValueError};
pub use customer::{Customer, Identity};
pub use erased::{EraseMode, RowCounts};
pub use existing::{ColumnDifference, ExistingColumn};
pub use table_def::{TableDef, TableUse};

//! Compares the columns of a table in a database with their declaration.

use super::TableDef;

/// A column of a table in a database.
pub struct ExistingColumn {
    /// The SQL type.
    pub sql_type: String,
    /// Whether it must not be null.
    pub not_null: bool,
    /// The position in the primary key, from 0, or `None` if the column is not part of the key.
    pub key: Option<usize>,
}

/// A difference between a column in a database and its declaration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ColumnDifference {
    /// The types differ.
    #[error("`{column}` is {existing} in the database and {declared} in the pipeline")]
    Type {
        /// The name of the column.
        column: String,
        /// The type in the database.
        existing: String,
        /// The declared type.
        declared: String,
    },
    /// The positions in the primary key differ.
    #[error("its primary key differs")]
    Key,
    /// Only the database requires a value.
    #[error("`{0}` must not be null in the database")]
    NotNull(String),
    /// Only the declaration requires a value.
    #[error("`{0}` may be null in the database")]
    Nullable(String),
    /// The column does not exist, and its declaration requires a value.
    #[error("the required column `{0}` is missing")]
    Missing(String),
}

impl TableDef {
    /// Compares the declared column at a position with the existing one, if there is one.
    /// `sql_type` is the declared type in SQL. A nullable column may be missing, because it can be
    /// added.
    pub fn column_difference(
        &self,
        at: usize,
        sql_type: &str,
        existing: Option<&ExistingColumn>,
    ) -> Option<ColumnDifference> {
        let column = self.columns.get(at)?;
        let name = || column.name.to_string();
        let Some(existing) = existing else {
            return (!column.nullable).then(|| ColumnDifference::Missing(name()));
        };
        if !existing.sql_type.eq_ignore_ascii_case(sql_type) {
            let (existing, declared) = (existing.sql_type.clone(), sql_type.to_owned());
            return Some(ColumnDifference::Type { column: name(), existing, declared });
        }
        if existing.key != self.key.iter().position(|key| *key == at) {
            return Some(ColumnDifference::Key);
        }
        match (existing.not_null, column.nullable) {
            (true, true) => Some(ColumnDifference::NotNull(name())),
            (false, false) => Some(ColumnDifference::Nullable(name())),
            _ => None,
        }
    }
}

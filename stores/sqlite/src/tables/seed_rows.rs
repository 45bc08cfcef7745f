//! The records of seeded rows (`oms_seed_rows`): the digests of each row's key and content. With
//! them, a seed only updates rows that have not been changed since it wrote them, and never
//! restores deleted rows. The content digest is null for a row that a step, an import or an erasure
//! changed or deleted.

use oms_core::table::TableDef;
use oms_core::value::{Digest, Value};
use rusqlite::types::{ToSqlOutput, Value as Sql};
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::Error;
use crate::tables::column::bind;

/// The record of one key in a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SeedRow {
    /// The seed wrote the row with this digest.
    Written(Vec<u8>),
    /// The row was not written by a seed, or it was changed or deleted after the seed wrote it.
    ChangedByOthers,
}

/// Returns the digest of a row's content. Null columns are ignored, so that columns that are added
/// later do not change the digest.
pub(crate) fn row_digest(row: &Value) -> Digest {
    let record = row.as_record();
    let fields = record.into_iter().flat_map(|record| record.iter());
    let texts: Vec<(&str, String)> = fields
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| (name.as_ref(), value.display()))
        .collect();
    Digest::of_parts(texts.iter().flat_map(|(name, text)| [name.as_bytes(), text.as_bytes()]))
}

/// Returns the digest of a key from the values of its columns in the database.
pub(crate) fn key_digest(key: &[Sql]) -> Digest {
    let texts: Vec<String> = key
        .iter()
        .map(|value| match value {
            Sql::Integer(number) => number.to_string(),
            Sql::Text(text) => text.clone(),
            Sql::Null | Sql::Real(_) | Sql::Blob(_) => String::new(),
        })
        .collect();
    Digest::of_parts(texts.iter().map(String::as_bytes))
}

/// Returns the values of a row's key as the database stores them.
pub(crate) fn key_of(table: &TableDef, row: &Value) -> Vec<Sql> {
    table
        .key_of(row)
        .map(|value| match bind(value) {
            ToSqlOutput::Owned(value) => value,
            ToSqlOutput::Borrowed(value) => value.try_into().unwrap_or(Sql::Null),
            _ => Sql::Null,
        })
        .collect()
}

impl SeedRow {
    /// Finds the record of a key.
    pub(crate) fn find(
        connection: &Connection,
        table: &TableDef,
        key: &[Sql],
    ) -> Result<Option<Self>, Error> {
        let found: Option<Option<Vec<u8>>> = connection
            .prepare_cached("select row from oms_seed_rows where table_name = ?1 and key = ?2")?
            .query_row(params![table.name, key_digest(key).bytes()], |row| row.get(0))
            .optional()?;
        Ok(found.map(|row| row.map_or(Self::ChangedByOthers, Self::Written)))
    }

    /// Writes the record of a key.
    pub(crate) fn keep(
        &self,
        connection: &Connection,
        table: &TableDef,
        key: &[Sql],
    ) -> Result<(), Error> {
        let row = match self {
            Self::Written(digest) => Some(digest),
            Self::ChangedByOthers => None,
        };
        connection
            .prepare_cached(
                "insert into oms_seed_rows (table_name, key, row) values (?1, ?2, ?3)
                 on conflict (table_name, key) do update set row = excluded.row",
            )?
            .execute(params![table.name, key_digest(key).bytes(), row])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use oms_core::table::{Column, ColumnShape};
    use oms_engine::plan::read_row;

    use super::*;

    #[test]
    fn the_digest_of_a_row_depends_only_on_its_values() {
        let column = |name: &str, ty: &str| {
            let (shape, nullable) = ColumnShape::parse(ty).unwrap();
            Column { name: name.into(), shape, nullable, pii: false, customer: false }
        };
        let columns =
            vec![column("id", "text"), column("price", "decimal(9,2)"), column("name", "text?")];
        let before = TableDef::new("prices".into(), columns.clone(), vec![0]);
        let later = [columns, vec![column("added_later", "integer?")]].concat();
        let later = TableDef::new("prices".into(), later, vec![0]);
        let digest = |table: &TableDef, line: &str| row_digest(&read_row(table, line).unwrap());
        let row = digest(&before, r#"{"id":"A","price":"1.5","name":null}"#);
        assert_eq!(
            row,
            digest(&later, r#"{"name":null,"added_later":null,"price":"1.50","id":"A"}"#)
        );
        for other in
            [r#"{"id":"A","price":"1.5","name":""}"#, r#"{"id":"A","price":"1.51","name":null}"#]
        {
            assert_ne!(row, digest(&before, other), "{other}");
        }
    }
}

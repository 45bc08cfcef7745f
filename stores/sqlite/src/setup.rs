//! Prepares a state for a plan before runs start: its pipeline, its target, tables, seeds, and the
//! bundle.

use std::sync::Arc;

use jiff::Timestamp;
use oms_core::table::TableDef;
use oms_core::value::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::Error;
use crate::runs::{bundles, delete};
use crate::state::database::Database;
use crate::tables::definition;
use crate::tables::seeds::{self, SeedFile, SkippedSeed};

/// The name of the entry in `oms_meta` that stores how e-mails are delivered.
const MAIL: &str = "mail";

/// A connection of the owner for setting up a state for a plan.
pub struct Setup<'c>(&'c Connection);

impl Database {
    /// Runs `work` on a connection for writing, before the writer starts.
    ///
    /// # Errors
    /// Returns an error if the database cannot be opened, or if `work` fails.
    pub fn set_up<T>(&self, work: impl FnOnce(&Setup<'_>) -> Result<T, Error>) -> Result<T, Error> {
        work(&Setup::on(&self.connect()?))
    }
}

impl<'c> Setup<'c> {
    pub(crate) const fn on(connection: &'c Connection) -> Self {
        Self(connection)
    }

    /// Checks that the state belongs to a pipeline. A new state is bound to it from now on.
    ///
    /// # Errors
    /// Returns an error if the state belongs to another pipeline, or if the database fails.
    pub fn claim(&self, pipeline: &str) -> Result<(), Error> {
        let owner = self.keep_first("pipeline", pipeline)?;
        if owner == pipeline { Ok(()) } else { Err(Error::OtherPipeline(owner)) }
    }

    /// Checks that the runs of the state use a target, because a run finds its earlier effects only
    /// in the same target. A state without a recorded target is bound to one from now on: to
    /// `target` if it has no runs, or to `local` if it has runs.
    ///
    /// # Errors
    /// Returns an error if the runs use another target, or if the database fails.
    pub fn claim_target(&self, target: &'static str, local: &str) -> Result<(), Error> {
        let first = if self.has_runs()? { local } else { target };
        let before = self.keep_first("target", first)?;
        if before == target { Ok(()) } else { Err(Error::OtherTarget { before, now: target }) }
    }

    /// Stores a value under a name unless the name already has a value, and returns the stored
    /// value.
    fn keep_first(&self, name: &str, value: &str) -> Result<String, Error> {
        self.0.execute(
            "insert into oms_meta (name, value) values (?1, ?2) on conflict do nothing",
            [name, value],
        )?;
        let sql = "select value from oms_meta where name = ?1";
        Ok(self.0.query_row(sql, [name], |row| row.get(0))?)
    }

    /// Returns whether the state has runs.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn has_runs(&self) -> Result<bool, Error> {
        let sql = "select exists (select 1 from oms_runs)";
        Ok(self.0.query_row(sql, [], |row| row.get(0))?)
    }

    /// Creates missing tables, adds newly declared columns, and loads changed seeds. Returns the
    /// seeds with rows that were skipped.
    ///
    /// # Errors
    /// Returns an error if a table differs from its declaration by more than missing nullable
    /// columns, or if the database fails.
    pub fn load(
        &self,
        tables: &[Arc<TableDef>],
        seeds: impl IntoIterator<Item = SeedFile>,
    ) -> Result<Vec<SkippedSeed>, Error> {
        for table in tables {
            definition::ensure(self.0, table)?;
        }
        seeds::load(self.0, seeds)
    }

    /// Stores the highest row number that a run ever had, if an earlier version of the program did
    /// not store it.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub fn restore_last_run(&self, tables: &[Arc<TableDef>]) -> Result<(), Error> {
        delete::restore_last_run(self.0, tables)
    }

    /// Returns the stored choice of how e-mails are delivered.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read.
    pub fn mail(&self) -> Result<Option<String>, Error> {
        let sql = "select value from oms_meta where name = ?1";
        Ok(self.0.query_row(sql, [MAIL], |row| row.get(0)).optional()?)
    }

    /// Stores the choice of how e-mails are delivered.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub fn set_mail(&self, value: &str) -> Result<(), Error> {
        self.0.execute(
            "insert into oms_meta (name, value) values (?1, ?2) on conflict (name) do update set value = excluded.value",
            params![MAIL, value],
        )?;
        Ok(())
    }

    /// Stores a bundle unless it exists, records it as the latest bundle, and returns its row.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub fn keep_bundle<'f>(
        &self,
        digest: &Digest,
        pipeline_file: &str,
        files: impl Iterator<Item = (&'f str, &'f [u8])>,
        semantics: u32,
        now: Timestamp,
    ) -> Result<i64, Error> {
        bundles::keep(self.0, digest, pipeline_file, files, semantics, now)
    }
}

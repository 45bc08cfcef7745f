//! Bundles: the pipeline and all other files that its plan was made from, stored by content, so
//! that a run continues on the plan that it began with.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use oms_engine::document::MemoryFiles;
use oms_engine::effects::Clock as _;
use oms_engine::plan::{Checker, Plan, Semantics};
use oms_engine::value::Digest;
use rusqlite::{Connection, OptionalExtension as _, params};

use crate::error::Error;
use crate::runs::StoredRun;
use crate::world::SystemClock;

/// The plans of the bundles that are in use.
pub struct Bundles {
    checker: Arc<Checker>,
    plans: Mutex<HashMap<i64, Arc<Plan>>>,
}

impl Bundles {
    /// Returns a cache without plans.
    pub fn new(checker: Arc<Checker>) -> Self {
        Self { checker, plans: Mutex::default() }
    }

    /// Stores the bundle of a plan that was made from the file `pipeline_file`, and returns its
    /// row.
    ///
    /// # Errors
    /// When the database cannot be written.
    pub(crate) fn keep(
        &self,
        connection: &Connection,
        pipeline_file: &str,
        plan: &Arc<Plan>,
    ) -> Result<i64, Error> {
        let digest = plan.digest();
        let known: Option<i64> = connection
            .prepare("select id from oms_bundles where digest = ?1")?
            .query_row([digest.bytes()], |row| row.get(0))
            .optional()?;
        let id = match known {
            Some(id) => id,
            None => {
                let transaction = connection.unchecked_transaction()?;
                let mut manifest: BTreeMap<&str, String> = BTreeMap::new();
                for (path, content) in plan.files() {
                    let digest = Digest::of(content);
                    transaction.execute(
                        "insert into oms_files (digest, content) values (?1, ?2) on conflict do nothing",
                        params![digest.bytes(), content.as_ref()],
                    )?;
                    manifest.insert(path, digest.to_string());
                }
                transaction.execute(
                    "insert into oms_bundles (digest, pipeline_file, files, made_at, semantics) values (?1, ?2, ?3, ?4, ?5)",
                    params![
                        digest.bytes(),
                        pipeline_file,
                        serde_json::to_string(&manifest).unwrap_or_default(),
                        SystemClock.now().as_millisecond(),
                        plan.semantics().number(),
                    ],
                )?;
                let id = transaction.last_insert_rowid();
                transaction.commit()?;
                id
            }
        };
        connection.execute(
            "insert into oms_meta (name, value) values ('bundle', ?1) on conflict (name) do update set value = excluded.value",
            [id.to_string()],
        )?;
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(plan));
        Ok(id)
    }

    /// Returns the plan of the bundle that was used last.
    ///
    /// # Errors
    /// When the database cannot be read, or this program cannot plan the bundle.
    pub fn latest(&self, connection: &Connection) -> Result<Arc<Plan>, Error> {
        let id: String = connection.query_row(
            "select value from oms_meta where name = 'bundle'",
            [],
            |row| row.get(0),
        )?;
        self.plan(connection, id.parse().map_err(|_| Error::Bundle(id))?)
    }

    /// Returns the plan of a bundle, and makes it from the stored files if it is not in use yet.
    ///
    /// # Errors
    /// When the database cannot be read, or this program cannot plan the bundle.
    pub fn plan(&self, connection: &Connection, id: i64) -> Result<Arc<Plan>, Error> {
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(plan) = known {
            return Ok(plan);
        }
        let damaged = |why| Error::DamagedBundle { bundle: id, why };
        let (name, manifest): (String, String) = connection
            .prepare("select pipeline_file, files from oms_bundles where id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?
            .ok_or_else(|| damaged("it is missing"))?;
        let semantics = semantics(connection, id)?.ok_or_else(|| Error::Bundle(name.clone()))?;
        let manifest: BTreeMap<String, String> =
            serde_json::from_str(&manifest).map_err(|_| damaged("its list of files is invalid"))?;
        let mut files = Vec::with_capacity(manifest.len());
        for (path, digest) in manifest {
            let content: Vec<u8> = connection
                .prepare("select content from oms_files where lower(hex(digest)) = ?1")?
                .query_row([&digest], |row| row.get(0))
                .optional()?
                .ok_or_else(|| damaged("one of its files is missing"))?;
            if Digest::of(&content).to_string() != digest {
                return Err(damaged("one of its files was changed"));
            }
            files.push((path, Arc::from(content)));
        }
        let checked = self.checker.check_bundle(&name, &MemoryFiles::new(files), semantics);
        let plan = Arc::new(checked.plan.ok_or(Error::Bundle(name))?);
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(&plan));
        Ok(plan)
    }

    /// Returns whether the order of a run has its accepted digest under the schema of any bundle.
    /// The run may have moved to another bundle, and the digest depends on the schema.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) fn is_order(
        &self,
        connection: &Connection,
        stored: &StoredRun,
    ) -> Result<bool, Error> {
        let ids: Vec<i64> = connection
            .prepare("select id from oms_bundles where id <> ?1 order by id desc")?
            .query_map([stored.row.bundle], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        // Bundles that cannot be planned are skipped.
        let plans = ids.into_iter().filter_map(|id| self.plan(connection, id).ok());
        let mut runs = plans.filter_map(|plan| stored.resume(&plan, &[]).ok());
        Ok(runs.any(|run| Some(run.info.digest) == stored.digest))
    }
}

/// Returns the semantics of a bundle, or `None` if this program does not know them.
fn semantics(connection: &Connection, id: i64) -> Result<Option<Semantics>, Error> {
    let number: Option<u32> = connection
        .prepare("select semantics from oms_bundles where id = ?1")?
        .query_row([id], |row| row.get(0))?;
    Ok(number.map_or(Some(Semantics::FIRST), Semantics::from_number))
}

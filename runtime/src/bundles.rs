//! The plans of bundles. With them, a run continues on the version of the pipeline with which it
//! started.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use oms_engine::document::MemoryFiles;
use oms_engine::plan::{Checker, Plan, Semantics};
use oms_sqlite::{Error, Reader, Setup, StoredBundle};

/// Checks that every setting of a plan has a value. Otherwise no run can start with the plan.
///
/// # Errors
/// Returns an error that names each setting without a value.
pub fn check_settings(plan: &Plan) -> Result<(), Error> {
    let unset: Vec<String> = plan.unset_settings().iter().map(ToString::to_string).collect();
    match unset.is_empty() {
        true => Ok(()),
        false => Err(Error::Settings(unset.join("; "))),
    }
}

/// The plans of the bundles that are in use.
pub struct Bundles {
    checker: Arc<Checker>,
    plans: Mutex<HashMap<i64, Arc<Plan>>>,
}

impl Bundles {
    /// Creates an empty set of plans.
    pub fn new(checker: Arc<Checker>) -> Self {
        Self { checker, plans: Mutex::default() }
    }

    /// Stores the bundle of a plan that was made from the file `pipeline_file`, and returns the
    /// bundle's row. The plan's settings have values.
    pub(crate) fn keep(
        &self,
        setup: &Setup<'_>,
        pipeline_file: &str,
        plan: &Arc<Plan>,
        now: Timestamp,
    ) -> Result<i64, Error> {
        let files = plan.files().iter().map(|(path, content)| (path.as_ref(), content.as_ref()));
        let semantics = plan.semantics().number();
        let id = setup.keep_bundle(&plan.digest(), pipeline_file, files, semantics, now)?;
        self.insert(id, plan);
        Ok(id)
    }

    /// Returns the plan of the bundle that was used last.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read, or if this program cannot plan the bundle.
    pub fn latest(&self, reader: &Reader) -> Result<Arc<Plan>, Error> {
        self.plan(reader, StoredBundle::latest(reader)?)
    }

    /// Returns the plan of a bundle. If the bundle is not in use yet, the plan is made from the
    /// stored files.
    ///
    /// # Errors
    /// Returns an error if the database cannot be read, or if this program cannot plan the bundle.
    pub fn plan(&self, reader: &Reader, id: i64) -> Result<Arc<Plan>, Error> {
        let known = self.plans.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        if let Some(plan) = known {
            return Ok(plan);
        }
        let StoredBundle { pipeline_file, semantics, files } = StoredBundle::load(reader, id)?;
        let unknown = || Error::Bundle(pipeline_file.clone());
        let semantics = semantics.map_or(Some(Semantics::FIRST), Semantics::from_number);
        let files = MemoryFiles::new(files);
        let checked =
            self.checker.check_bundle(&pipeline_file, &files, semantics.ok_or_else(unknown)?);
        let plan = Arc::new(checked.plan.ok_or_else(unknown)?);
        self.insert(id, &plan);
        Ok(plan)
    }

    /// Returns the plans of all other bundles, the newest first. Bundles that cannot be planned are
    /// skipped.
    pub(crate) fn others<'a>(
        &'a self,
        reader: &'a Reader,
        id: i64,
    ) -> Result<impl Iterator<Item = Arc<Plan>> + 'a, Error> {
        let ids = StoredBundle::others(reader, id)?;
        Ok(ids.into_iter().filter_map(|id| self.plan(reader, id).ok()))
    }

    fn insert(&self, id: i64, plan: &Arc<Plan>) {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(plan));
    }
}

//! Orders with a key that already has a run: duplicates and conflicts.

use std::sync::Arc;

use oms_engine::intake::Conflict;
use oms_engine::plan::Plan;
use oms_engine::run::Run;
use oms_sqlite::{Error, StoredRun};

use crate::admission::Settled;
use crate::admission::answer::{Answer, Answering};
use crate::runner::Runner;

impl Runner {
    /// Returns the result of an order with a known key, and sends the answer to the waiting sender.
    pub(crate) fn known(
        &self,
        same: bool,
        plan: &Plan,
        run: &Run,
        answering: &Answering,
    ) -> Result<Settled, Error> {
        let conflict = if same { None } else { self.conflict(plan, run)? };
        Ok(if let Some(conflict) = conflict {
            answering.tell(|| Answer::Conflict(conflict));
            Settled::Conflict
        } else {
            let (key, run) = (Arc::clone(&run.info.key), Arc::clone(&run.info.id));
            answering.tell(|| Answer::Same { key, run });
            Settled::Duplicate
        })
    }

    /// Compares an order with the accepted order that has the same key and another digest.
    fn conflict(&self, plan: &Plan, run: &Run) -> Result<Option<Conflict>, Error> {
        let stored = self.driver.store.read(|reader| StoredRun::body(reader, &run.info.key))?;
        Ok(Conflict::between(plan.order(), &run.info, stored.as_deref()))
    }
}

//! Orders with a key that already has a run: duplicates and conflicts.

use std::sync::Arc;

use oms_engine::intake::{Accepted, Conflict};
use oms_engine::plan::Plan;
use oms_engine::run::Run;
use oms_sqlite::{Error, StoredRun};

use crate::admission::WorkResult;
use crate::admission::reply::{OrderReply, ReplySender};
use crate::runner::Runner;

impl Runner {
    /// Returns the result of an order with a known key, and sends the reply to the waiting sender.
    pub(crate) fn existing_run(
        &self,
        same: bool,
        plan: &Plan,
        run: &Run,
        reply_sender: &ReplySender,
    ) -> Result<WorkResult, Error> {
        let conflict = if same { None } else { self.conflict(plan, run)? };
        Ok(if let Some(conflict) = conflict {
            reply_sender.send(|| OrderReply::Conflict(conflict));
            WorkResult::Conflict
        } else {
            let (key, run) = (Arc::clone(&run.info.key), Arc::clone(&run.info.id));
            reply_sender.send(|| OrderReply::Duplicate { key, run });
            WorkResult::Duplicate
        })
    }

    /// Compares an order with the accepted order that has the same key and another digest.
    fn conflict(&self, plan: &Plan, run: &Run) -> Result<Option<Conflict>, Error> {
        let key = &run.info.key;
        let (stored, reduced) = self.driver.store.read(|reader| {
            let stored = StoredRun::body(reader, key)?;
            Ok((stored, StoredRun::reduced_digest_of_deleted(reader, key)?))
        })?;
        let accepted = match &stored {
            Some(stored) => Accepted::Order(stored),
            None => Accepted::Deleted { reduced },
        };
        Ok(Conflict::between(plan.order(), &run.info, accepted))
    }
}

//! Cancels orders of a deployed pipeline.

use std::collections::BTreeSet;

use oms_engine::effects::{CANCEL_AGE, Orders as _};
use oms_engine::run::RunState;
use oms_sql::{CancelResult, CancelledOrder, Note, NoteFilter};

use super::Stack;
use crate::output;
use crate::runtime;

impl Stack {
    /// Cancels parked and waiting orders, and deletes the dead letters of cancelled orders. Prints an
    /// error for each order that cannot be cancelled. Returns the numbers of orders that were
    /// cancelled and of those that were not.
    ///
    /// # Errors
    /// Returns an error if a service fails, or the handlers do not know cancelled orders.
    pub(crate) fn cancel(&self, keys: &[String]) -> anyhow::Result<(u64, u64)> {
        self.settled_days()?;
        let (mut cancelled, mut refused) = (0, 0);
        let mut objects = BTreeSet::new();
        for key in keys {
            let wanted = NoteFilter { key: Some(key), limit: 1, ..NoteFilter::default() };
            let notes = self.query(wanted)?;
            let result = match notes.first() {
                Some(note) => runtime::current_thread()?.block_on(self.cancel_order(note))?,
                None => CancelResult::NotOpen,
            };
            // A repeated call deletes the dead letters that an interrupted one has left.
            let is_cancelled =
                result == CancelResult::Cancelled || self.state_of(&notes) == RunState::Cancelled;
            objects.extend(notes.first().filter(|_| is_cancelled).map(|note| note.object.clone()));
            let why = match (result, notes.is_empty()) {
                (CancelResult::Cancelled, _) => {
                    cancelled += 1;
                    continue;
                }
                (CancelResult::TooYoung, _) => {
                    "was accepted less than a minute ago; try again later".to_owned()
                }
                (CancelResult::NotOpen, true) => {
                    "has no note of a handler: it was not accepted, or it is still in progress"
                        .to_owned()
                }
                (CancelResult::NotOpen, false) => format!(
                    "is {}; only parked and waiting orders can be cancelled",
                    self.state_of(&notes).as_str().replace('_', " ")
                ),
            };
            refused += 1;
            output::message(&format!("error: `{key}` {why}"));
        }
        let objects = objects.iter().map(String::as_str).collect();
        runtime::current_thread()?.block_on(async {
            for handler in self.cloud.resources.dead_letters.keys() {
                self.delete_dead_letters(handler, &objects).await?;
            }
            anyhow::Ok(())
        })?;
        Ok((cancelled, refused))
    }

    async fn cancel_order(&self, note: &Note) -> anyhow::Result<CancelResult> {
        // An order whose object was deleted is parked for this reason, and is old enough.
        let stored = self.objects().fetch(&self.location(&note.object)).await?;
        let accepted_at = stored.map_or(jiff::Timestamp::UNIX_EPOCH, |stored| stored.accepted_at);
        let handlers: Vec<&str> = self.branches_with_notes().map(|branch| &*branch.name).collect();
        let order = CancelledOrder { key: &note.key, object: &note.object, accepted_at };
        let (database, pipeline) = (&*self.database, self.plan.name());
        Ok(oms_sql::cancel(database, pipeline, &handlers, order, CANCEL_AGE).await?)
    }
}

//! Cancels orders of a deployed pipeline.

use std::collections::BTreeSet;

use anyhow::Context as _;
use oms_aws::S3Objects;
use oms_engine::effects::{CANCEL_AGE, OrderLocation, Orders as _};
use oms_engine::run::RunState;
use oms_sql::{CancelledOrder, Note, NoteFilter};

use super::Stack;
use crate::output;
use crate::runtime;

impl Stack {
    /// Cancels parked and waiting orders, and deletes their dead letters. Prints an error for each
    /// order that cannot be cancelled. Returns the numbers of orders that were cancelled and of those
    /// that were not.
    ///
    /// # Errors
    /// Returns an error if an order has no note, or a service fails.
    pub(crate) fn cancel(&self, keys: &[String]) -> anyhow::Result<(u64, u64)> {
        let objects = S3Objects::new(&self.cloud.session, self.cloud.resources.buckets.clone());
        let (mut cancelled, mut refused) = (0, 0);
        for key in keys {
            let notes =
                self.query(NoteFilter { key: Some(key), limit: 1, ..NoteFilter::default() })?;
            let note =
                notes.first().with_context(|| format!("no handler has a note on `{key}`"))?;
            let done = runtime::current_thread()?.block_on(self.cancel_order(&objects, note))?;
            if done {
                cancelled += 1;
                continue;
            }
            refused += 1;
            let notes =
                self.query(NoteFilter { key: Some(key), limit: 1, ..NoteFilter::default() })?;
            output::message(&match self.state_of(&notes) {
                RunState::Parked | RunState::Waiting => {
                    format!("error: `{key}` was accepted less than a minute ago; try again later")
                }
                state => format!(
                    "error: `{key}` is {}; only parked and waiting orders can be cancelled",
                    state.as_str().replace('_', " ")
                ),
            });
        }
        Ok((cancelled, refused))
    }

    async fn cancel_order(&self, objects: &S3Objects, note: &Note) -> anyhow::Result<bool> {
        let place = OrderLocation {
            bucket: self.cloud.resources.bucket(&self.choreography.bucket),
            key: note.object.clone(),
            version: None,
        };
        // An order whose object was deleted is parked for this reason, and is old enough.
        let stored = objects.fetch(&place).await?;
        let accepted_at = stored.map_or(jiff::Timestamp::UNIX_EPOCH, |stored| stored.accepted_at);
        let handlers: Vec<&str> = self.noting_branches().map(|branch| &*branch.name).collect();
        let order = CancelledOrder { key: &note.key, object: &note.object, accepted_at };
        let pipeline = self.plan.name();
        let database = &*self.database;
        if !oms_sql::cancel(database, pipeline, &handlers, order, CANCEL_AGE).await? {
            return Ok(false);
        }
        let objects = BTreeSet::from([note.object.as_str()]);
        for handler in handlers {
            self.delete_dead_letters(handler, &objects).await?;
        }
        Ok(true)
    }
}

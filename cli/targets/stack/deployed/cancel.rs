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
    /// Cancels parked and waiting orders, and deletes the dead letters of cancelled orders. Prints an
    /// error for each order that cannot be cancelled. Returns the numbers of orders that were
    /// cancelled and of those that were not.
    ///
    /// # Errors
    /// Returns an error if an order has no note, or a service fails.
    pub(crate) fn cancel(&self, keys: &[String]) -> anyhow::Result<(u64, u64)> {
        let stored = S3Objects::new(&self.cloud.session, self.cloud.resources.buckets.clone());
        let wanted = |key| NoteFilter { key: Some(key), limit: 1, ..NoteFilter::default() };
        let mut orders = Vec::new();
        for key in keys {
            let note = self.query(wanted(key))?.into_iter().next();
            orders.push(note.with_context(|| format!("no handler has a note on `{key}`"))?);
        }
        let (mut cancelled, mut refused) = (0, 0);
        let mut objects = BTreeSet::new();
        for note in &orders {
            let key = &note.key;
            let done = runtime::current_thread()?.block_on(self.cancel_order(&stored, note))?;
            let state = match done {
                true => RunState::Cancelled,
                false => self.state_of(&self.query(wanted(key))?),
            };
            if state == RunState::Cancelled {
                objects.insert(note.object.clone());
            }
            if done {
                cancelled += 1;
                continue;
            }
            refused += 1;
            output::message(&match state {
                RunState::Parked | RunState::Waiting => {
                    format!("error: `{key}` was accepted less than a minute ago; try again later")
                }
                state => format!(
                    "error: `{key}` is {}; only parked and waiting orders can be cancelled",
                    state.as_str().replace('_', " ")
                ),
            });
        }
        let objects = objects.iter().map(String::as_str).collect();
        runtime::current_thread()?.block_on(async {
            for branch in self.noting_branches() {
                self.delete_dead_letters(&branch.name, &objects).await?;
            }
            anyhow::Ok(())
        })?;
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
        Ok(oms_sql::cancel(database, pipeline, &handlers, order, CANCEL_AGE).await?)
    }
}

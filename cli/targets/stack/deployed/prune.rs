//! Deletes old notes of a deployed pipeline.

use jiff::{SignedDuration, Timestamp};
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;

use super::Stack;
use crate::exit::Usage;
use crate::runtime;

impl Stack {
    /// Deletes the notes on orders that ended before an instant. Returns the number of orders.
    ///
    /// # Errors
    /// Returns an error if `before` is so late that `reconcile` or a message could still need the
    /// notes, or the database fails.
    pub(crate) fn prune(&self, before: Timestamp) -> anyhow::Result<u64> {
        let days = self.settled_days()?;
        if before > SystemClock.now() - SignedDuration::from_hours(24 * i64::from(days)) {
            return Err(Usage(format!(
                "specify at least `{days}d` for `--older-than`; without the notes, younger orders can be sent to their handlers again"
            ))
            .into());
        }
        let pruned = oms_sql::prune(&*self.database, self.plan.name(), before);
        Ok(runtime::current_thread()?.block_on(pruned)?)
    }
}

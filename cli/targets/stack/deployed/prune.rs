//! Deletes old notes of a deployed pipeline.

use anyhow::Context as _;
use jiff::{SignedDuration, Timestamp};
use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;

use super::Stack;
use crate::exit::Usage;
use crate::runtime;

/// Maximum number of days for which SQS keeps a message ("Amazon SQS message quotas").
const MESSAGE_DAYS: u32 = 14;

impl Stack {
    /// Deletes the notes on orders that ended before an instant. Returns the number of orders.
    ///
    /// # Errors
    /// Returns an error if `before` is so late that `reconcile` or a message could still need the
    /// notes, or the database fails.
    pub(crate) fn prune(&self, before: Timestamp) -> anyhow::Result<u64> {
        let days = self.cloud.resources.reconcile_days.with_context(|| {
            "the resources contain no `reconcile_days`; save the output `OmsResources` of the stack again"
        })?;
        // One more day, because a search for lost orders takes time.
        let kept = days.max(MESSAGE_DAYS) + 1;
        let limit = SystemClock.now() - SignedDuration::from_hours(24 * i64::from(kept));
        if before > limit {
            return Err(Usage(format!(
                "specify at least `{kept}d` for `--older-than`; without the notes, the search for lost orders sends orders of the last {days} days to their handlers again"
            ))
            .into());
        }
        let pruned = oms_sql::prune(&*self.database, self.plan.name(), before);
        Ok(runtime::current_thread()?.block_on(pruned)?)
    }
}

//! Deletes old runs. The key and digest of each order stay, so that the same order is still
//! recognized as a duplicate.

use jiff::Timestamp;
use oms_sqlite::Error;

use crate::runner::Runner;

impl Runner {
    /// Deletes completed and cancelled runs that have not changed since `before`, with their
    /// orders, journals, objects and e-mails. Rows of the pipeline's own tables stay. Returns the
    /// number of deleted runs. With `shrink`, SQLite then rewrites the database file without its
    /// free pages. Otherwise, later orders reuse the pages.
    ///
    /// # Errors
    /// Returns an error if the database fails. Earlier deletions stay.
    pub async fn prune(&self, before: Timestamp, shrink: bool) -> Result<u64, Error> {
        let store = &self.driver.store;
        let (mut pruned, mut from) = (0, 0);
        while let Some((next, runs)) = store.delete_ended_before(from, before).await? {
            (from, pruned) = (next, pruned + runs.len() as u64);
        }
        if pruned > 0 && shrink {
            store.shrink().await?;
        }
        Ok(pruned)
    }
}

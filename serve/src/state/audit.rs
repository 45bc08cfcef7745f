//! The audit log. An entry is written before an action is executed, and its outcome is added
//! afterwards.

use oms_clock::SystemClock;
use oms_engine::effects::Clock as _;
use oms_sqlite::AuditEntry;

use super::flow::Flow;

impl Flow {
    /// Records an action before it is executed and returns the entry's number. An action that
    /// cannot be recorded must not be executed.
    pub(crate) async fn audit_start(
        &self,
        who: &str,
        what: &str,
        key: Option<&str>,
        detail: &str,
    ) -> Result<i64, oms_sqlite::Error> {
        let entry = AuditEntry {
            id: 0,
            at: SystemClock.now(),
            who: who.to_owned(),
            what: what.to_owned(),
            key: key.map(str::to_owned),
            detail: detail.to_owned(),
        };
        self.runner.audit(entry).await
    }

    /// Adds the outcome to an entry. If that fails, the entry still shows that the action was
    /// started.
    pub(crate) async fn audit_outcome(&self, entry: i64, outcome: &str) {
        let _start_is_recorded = self.runner.audited(entry, outcome.to_owned()).await;
    }
}

//! Claims on effects that cannot be undone: one attempt holds the claim until its outcome is known.
//!
//! A claim is a row under the idempotency key. It is written before the attempt, with the attempt's
//! id and a lease. During the lease, other attempts are refused and retried later. If the lease
//! expires without a result, the outcome of the attempt is unknown.
//!
//! If effects are limited to a number per second, the statement that claims an effect also reserves
//! its time slot. An effect whose slot is in the future keeps the slot, and is claimed when its time
//! comes.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use oms_core::effects::{Call, StepError};

use crate::branches::{When, with_done_note};
use crate::database::Database;
use crate::statement::{Hint, Statement};

/// How long after its time slot an effect may still begin. After that, it takes a new slot, so that
/// the effects of an outage do not begin all at once.
const SLOT_KEPT: &str = "interval '1 minute'";

/// The claims in a database.
#[derive(Clone)]
pub struct Claims {
    database: Arc<dyn Database>,
    per_second: Option<NonZeroU32>,
}

/// The result of claiming an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This attempt holds the claim.
    Mine,
    /// The time slot of the effect is this far in the future. It was reserved for the effect.
    Later(Duration),
    /// The effect is already done.
    Done,
    /// Another attempt holds the claim for this time.
    Busy(Duration),
    /// Another attempt held the claim, and its lease expired without a result.
    Unknown,
}

impl Claims {
    /// Returns the claims in a database whose tables were created by [`migrate`](crate::migrate()).
    pub fn new(database: Arc<dyn Database>) -> Self {
        Self { database, per_second: None }
    }

    /// Limits the effects of all processes with this database to `per_second`; `None` means no
    /// limit. Each effect reserves a time slot, and keeps it until its attempt.
    #[must_use]
    pub fn limited_to(self, per_second: Option<NonZeroU32>) -> Self {
        Self { per_second, ..self }
    }

    /// Claims the effect of a call for the attempt `attempt`, with a lease of `lease`. An expired
    /// claim is taken over only if `may_resend` is true. If the effect is already done and the call
    /// is the handler's last, this also notes that the handler is done.
    ///
    /// # Errors
    /// Returns an error if the database fails. The effect must then not be attempted.
    pub async fn claim(
        &self,
        call: &Call,
        attempt: &str,
        lease: Duration,
        may_resend: bool,
    ) -> Result<Claim, StepError> {
        let statement = self.slot(call, may_resend);
        let lease = |statement: Statement| {
            let seconds = Some(lease.as_secs().to_string());
            statement.sql("now() + ").bind(Hint::Integer, seconds).sql(" * interval '1 second'")
        };
        let free = |statement: Statement| {
            let statement = statement
                .sql("(c.state = 'free' or (c.state = 'claimed' and c.lease_until < now() and ");
            statement.bind(Hint::Boolean, Some(may_resend.to_string())).sql("))")
        };
        // Of two concurrent statements, exactly one inserts the row. The other waits for the row
        // and then sees it. The row is updated even if nothing changes, because `returning` only
        // returns inserted and updated rows.
        let statement = statement
            .sql("claimed as (insert into oms_claims as c (key, run, step, attempt, state, lease_until, slot_at) select ")
            .text(&*call.key)
            .sql(", ")
            .text(&*call.run.id)
            .sql(", ")
            .text(&*call.step)
            .sql(", ")
            .text(attempt)
            .sql(", case when at > now() then 'free' else 'claimed' end, ");
        let due = " and coalesce(excluded.slot_at, c.slot_at, now()) <= now() then ";
        let statement = lease(statement)
            .sql(", at from (select 1) one left join slot on true on conflict (key) do update set attempt = case when ");
        let statement = free(statement)
            .sql(&format!("{due}excluded.attempt else c.attempt end, lease_until = case when "));
        let statement = free(statement).sql(&format!(
            "{due}excluded.lease_until else c.lease_until end, slot_at = case when "
        ));
        let statement = free(statement).sql(
            " then coalesce(excluded.slot_at, c.slot_at) else c.slot_at end, state = case when ",
        );
        let statement = free(statement).sql(&format!("{due}'claimed' when "));
        let statement = free(statement).sql(&format!(
            " then 'free' else c.state end returning c.attempt, c.state, {} as lease_left, {} as slot_left)",
            millis_until("c.lease_until"),
            millis_until("c.slot_at"),
        ));
        let statement = with_done_note(statement, call, When::Claimed)
            .sql(" select attempt, state, lease_left, slot_left from claimed");
        let rows = self.database.run(&statement).await?;
        let answer: Vec<Option<&str>> =
            rows.first().into_iter().flatten().map(Option::as_deref).collect();
        let [owner, state, lease_left, slot_left] = answer.as_slice() else {
            return Ok(Claim::Unknown);
        };
        let left = |millis: &Option<&str>| {
            let millis = millis.and_then(|millis| millis.parse().ok()).unwrap_or(0);
            Duration::from_millis(millis)
        };
        Ok(match *state {
            Some("done") => Claim::Done,
            Some("free") => Claim::Later(left(slot_left)),
            _ if *owner == Some(attempt) => Claim::Mine,
            _ if left(lease_left).is_zero() => Claim::Unknown,
            _ => Claim::Busy(left(lease_left)),
        })
    }

    /// Returns the beginning of the statement that claims an effect. It defines `slot`: the time
    /// slot if the effect has to reserve one, and otherwise no row. One row contains the next slot
    /// of all processes, and the rate. After a change of the rate, the slots begin again, and every
    /// effect takes a new one.
    fn slot(&self, call: &Call, may_resend: bool) -> Statement {
        let Some(per_second) = self.per_second else {
            return Statement::default()
                .sql("with slot as (select cast(null as timestamptz) as at where false), ");
        };
        let rate =
            |statement: Statement| statement.bind(Hint::Integer, Some(per_second.to_string()));
        let gap = |statement: Statement| rate(statement.sql("interval '1 second' / "));
        let statement = Statement::default()
            .sql("with slot as (insert into oms_slots as s (name, next_at, per_second) select 'mail', now() + ");
        let statement = rate(gap(statement).sql(", "))
            .sql(" where not exists (select from oms_claims c where c.key = ")
            .text(&*call.key)
            .sql(&format!(
                " and (c.state = 'done' or (c.slot_at > now() - {SLOT_KEPT} and exists (select from oms_slots o where c.slot_at < o.next_at and o.per_second = "
            ));
        let statement = rate(statement)
            .sql(")) or (c.state = 'claimed' and not (c.lease_until < now() and ")
            .bind(Hint::Boolean, Some(may_resend.to_string()))
            .sql(
                ")))) on conflict (name) do update set per_second = excluded.per_second, \
                 next_at = case when s.per_second = excluded.per_second then greatest(s.next_at, now()) else now() end + ",
            );
        let statement = gap(statement).sql(" returning next_at - ");
        gap(statement).sql(" as at), ")
    }

    /// Records that a claimed attempt succeeded, with the provider's id. If the call is the
    /// handler's last, this also notes that the handler is done.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn done(&self, call: &Call, attempt: &str, provider: &str) -> Result<(), StepError> {
        let statement = with_done_note(Statement::default(), call, When::Always)
            .sql("update oms_claims set state = 'done', provider_id = ")
            .text(provider)
            .sql(" where key = ")
            .text(&*call.key)
            .sql(" and attempt = ")
            .text(attempt);
        self.database.run(&statement).await.map(drop)
    }

    /// Releases a claim of an attempt that certainly had no effect.
    ///
    /// # Errors
    /// Returns an error if the database fails. The claim then expires with its lease.
    pub async fn free(&self, call: &Call, attempt: &str) -> Result<(), StepError> {
        let statement = Statement::default()
            .sql("update oms_claims set state = 'free', slot_at = null where state = 'claimed' and key = ")
            .text(&*call.key)
            .sql(" and attempt = ")
            .text(attempt);
        self.database.run(&statement).await.map(drop)
    }

    /// Marks expired claims of a run's steps as done, because a user confirmed that their effects
    /// took place (`--held sent`). Returns `false` if the lease of one of these claims is still
    /// valid.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn mark_done(&self, run: &str, steps: &[&str]) -> Result<bool, StepError> {
        self.set("done", run, steps).await
    }

    /// Releases expired claims of a run's steps, because a user decided to repeat the steps
    /// (`--held resend`). Returns `false` if the lease of one of these claims is still valid.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn release(&self, run: &str, steps: &[&str]) -> Result<bool, StepError> {
        self.set("free", run, steps).await
    }

    /// Returns whether the outcome of one of these steps of a run is unknown: an attempt holds a
    /// claim without a result.
    ///
    /// # Errors
    /// Returns an error if the database fails.
    pub async fn is_open(&self, run: &str, steps: &[&str]) -> Result<bool, StepError> {
        let steps = serde_json::Value::from(steps.to_vec()).to_string();
        let statement = Statement::default()
            .sql("select key from oms_claims where state = 'claimed' and run = ")
            .text(run)
            .sql(" and step in (select jsonb_array_elements_text(cast(")
            .text(steps)
            .sql(" as jsonb)))");
        Ok(!self.database.run(&statement).await?.is_empty())
    }

    async fn set(&self, state: &str, run: &str, steps: &[&str]) -> Result<bool, StepError> {
        let steps = serde_json::Value::from(steps.to_vec()).to_string();
        let claimed = |statement: Statement, lease: &str| {
            statement
                .sql(&format!(" where state = 'claimed' and lease_until {lease} now() and run = "))
                .text(run)
                .sql(" and step in (select jsonb_array_elements_text(cast(")
                .text(&steps)
                .sql(" as jsonb)))")
        };
        let update = Statement::default().sql("update oms_claims set slot_at = null, state = ");
        let update = update.text(state);
        self.database.run(&claimed(update, "<")).await?;
        let live = claimed(Statement::default().sql("select key from oms_claims"), ">=");
        Ok(self.database.run(&live).await?.is_empty())
    }
}

/// Returns the SQL for the number of milliseconds until an instant, at least 0, as text.
fn millis_until(instant: &str) -> String {
    let seconds = format!("extract(epoch from {instant} - clock_timestamp())");
    format!("cast(cast(greatest(0, ceil(1000 * {seconds})) as bigint) as text)")
}

//! Claims on effects that cannot be undone: one attempt holds the claim until its outcome is known.
//!
//! A claim is a row under the idempotency key. It is written before the attempt, with the attempt's
//! id and a lease. During the lease, other attempts are refused and retried later. If the lease
//! expires without a result, the outcome of the attempt is unknown.

use std::sync::Arc;
use std::time::Duration;

use oms_core::effects::{Call, StepError};

use crate::branches::{When, with_done_note};
use crate::database::Database;
use crate::statement::{Hint, Statement};

/// The claims in a database.
#[derive(Clone)]
pub struct Claims {
    database: Arc<dyn Database>,
}

/// The result of claiming an effect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This attempt holds the claim.
    Mine,
    /// The effect is already done.
    Done,
    /// Another attempt holds the claim.
    Busy,
    /// Another attempt held the claim, and its lease expired without a result.
    Unknown,
}

impl Claims {
    /// Returns the claims in a database whose tables were created by [`migrate`](crate::migrate()).
    pub fn new(database: Arc<dyn Database>) -> Self {
        Self { database }
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
        let lease = Some(lease.as_secs().to_string());
        // Of two concurrent statements, exactly one inserts the row. The other waits for the row
        // and then sees it. The row is updated even if nothing changes, because `returning` only
        // returns inserted and updated rows.
        let taken = "(c.state = 'free' or (c.state = 'claimed' and c.lease_until < now() and ";
        let statement = Statement::default()
            .sql("with claimed as (insert into oms_claims as c (key, run, step, attempt, state, lease_until) values (")
            .text(&*call.key)
            .sql(", ")
            .text(&*call.run.id)
            .sql(", ")
            .text(&*call.step)
            .sql(", ")
            .text(attempt)
            .sql(", 'claimed', now() + ")
            .bind(Hint::Integer, lease)
            .sql(" * interval '1 second') on conflict (key) do update set attempt = case when ")
            .sql(taken)
            .bind(Hint::Boolean, Some(may_resend.to_string()))
            .sql(")) then excluded.attempt else c.attempt end, lease_until = case when ")
            .sql(taken)
            .bind(Hint::Boolean, Some(may_resend.to_string()))
            .sql(")) then excluded.lease_until else c.lease_until end, state = case c.state when 'free' then 'claimed' else c.state end")
            .sql(" returning c.attempt, c.state, cast(c.lease_until > now() as text) as live)");
        let statement = with_done_note(statement, call, When::Claimed);
        let statement = statement.sql(" select attempt, state, live from claimed");
        let rows = self.database.run(&statement).await?;
        let answer: Vec<Option<&str>> =
            rows.first().into_iter().flatten().map(Option::as_deref).collect();
        Ok(match answer.as_slice() {
            [_, Some("done"), _] => Claim::Done,
            [Some(owner), ..] if *owner == attempt => Claim::Mine,
            [_, _, Some("true")] => Claim::Busy,
            _ => Claim::Unknown,
        })
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
            .sql("update oms_claims set state = 'free' where state = 'claimed' and key = ")
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
    pub async fn settle(&self, run: &str, steps: &[&str]) -> Result<bool, StepError> {
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
        let update = Statement::default().sql("update oms_claims set state = ").text(state);
        self.database.run(&claimed(update, "<")).await?;
        let live = claimed(Statement::default().sql("select key from oms_claims"), ">=");
        Ok(self.database.run(&live).await?.is_empty())
    }
}

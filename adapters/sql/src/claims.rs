//! Who may do something that cannot be taken back: one attempt, and nobody else until it is known how that went.
//!
//! A claim is a row under the idempotency key. It is written before the attempt and carries the attempt's id and a lease. While the lease
//! lives others come again later; when it has ended without a word, nobody knows whether the attempt did what it was to do.

use std::sync::Arc;
use std::time::Duration;

use oms_core::effects::{Call, StepError};

use crate::branches::{When, with};
use crate::database::Database;
use crate::statement::{Hint, Statement};

/// The claims of a database.
#[derive(Clone)]
pub struct Claims {
    database: Arc<dyn Database>,
}

/// What an attempt that wants to do something is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is this attempt's.
    Mine,
    /// It was done already.
    Done,
    /// Another attempt has it.
    Busy,
    /// Another attempt had it and was not heard of again.
    Unknown,
}

impl Claims {
    /// Works on a database whose tables were made by [`migrate`](crate::migrate()).
    pub fn new(database: Arc<dyn Database>) -> Self {
        Self { database }
    }

    /// Claims what a call is to do, for the attempt `attempt` and as long as `lease`. A claim whose lease has ended is only taken over if `again`
    /// says that it may be done twice. Where it was done already, it is noted that the handler is done, if that was its last.
    ///
    /// # Errors
    /// What the database said; then nothing is to be done.
    pub async fn claim(
        &self,
        call: &Call,
        attempt: &str,
        lease: Duration,
        again: bool,
    ) -> Result<Claim, StepError> {
        let lease = Some(lease.as_secs().to_string());
        // Exactly one of two that come at once inserts; the other waits for that row and then sees it. The row is updated even where nothing
        // changes, since only then it is given back.
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
            .bind(Hint::Boolean, Some(again.to_string()))
            .sql(")) then excluded.attempt else c.attempt end, lease_until = case when ")
            .sql(taken)
            .bind(Hint::Boolean, Some(again.to_string()))
            .sql(")) then excluded.lease_until else c.lease_until end, state = case c.state when 'free' then 'claimed' else c.state end")
            .sql(" returning c.attempt, c.state, cast(c.lease_until > now() as text) as live)");
        let statement = with(statement, call, When::Claimed);
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

    /// Notes that a claimed attempt did it, with what the provider calls it; and that the handler is done, if that was its last.
    ///
    /// # Errors
    /// What the database said.
    pub async fn done(&self, call: &Call, attempt: &str, provider: &str) -> Result<(), StepError> {
        let statement = with(Statement::default(), call, When::Always)
            .sql("update oms_claims set state = 'done', provider_id = ")
            .text(provider)
            .sql(" where key = ")
            .text(&*call.key)
            .sql(" and attempt = ")
            .text(attempt);
        self.database.run(&statement).await.map(drop)
    }

    /// Gives a claim back: the attempt surely did nothing.
    ///
    /// # Errors
    /// What the database said; then the claim ends with its lease.
    pub async fn free(&self, call: &Call, attempt: &str) -> Result<(), StepError> {
        let statement = Statement::default()
            .sql("update oms_claims set state = 'free' where state = 'claimed' and key = ")
            .text(&*call.key)
            .sql(" and attempt = ")
            .text(attempt);
        self.database.run(&statement).await.map(drop)
    }

    /// Takes claims of a run's steps as done that were not heard of again: a person found out that they were. Tells
    /// whether none is left that may still be heard of.
    ///
    /// # Errors
    /// What the database said.
    pub async fn settle(&self, run: &str, steps: &[&str]) -> Result<bool, StepError> {
        self.set("done", run, steps).await
    }

    /// Gives back claims of a run's steps that were not heard of again: a person says that they are to be tried again. Tells
    /// whether none is left that may still be heard of.
    ///
    /// # Errors
    /// What the database said.
    pub async fn give_back(&self, run: &str, steps: &[&str]) -> Result<bool, StepError> {
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

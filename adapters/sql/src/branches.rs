//! Handlers' notes: which handler has completed or parked which order, or waits for its next
//! attempt. If the last step of a handler is a single statement, the same statement also writes the
//! note.

use std::sync::Arc;

use oms_core::effects::{
    Branches, Call, DoneNote, HandlerNote, Io, MissingNote, RunInfo, RunState,
};
use serde_json::Value as Json;

use crate::database::Database;
use crate::statement::{Hint, Statement};

/// The notes in a database.
pub struct SqlBranches {
    database: Arc<dyn Database>,
}

impl SqlBranches {
    /// Returns the notes in a database whose tables were created by [`migrate`](crate::migrate()).
    pub fn new(database: Arc<dyn Database>) -> Self {
        Self { database }
    }
}

/// The condition under which a statement notes that the handler is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Always.
    Always,
    /// If the row that `written` returns belongs to the run.
    Written,
    /// If the claim that `claimed` returns is already done: an attempt recorded it, or a user
    /// confirmed it.
    Claimed,
}

/// Completes the `with` clause in `parts`. If the call is the handler's last, this adds the note
/// that the handler is done.
pub(crate) fn with_done_note(parts: Statement, call: &Call, when: When) -> Statement {
    let Some(done_note) = &call.done_note else { return parts };
    let parts = match parts == Statement::default() {
        true => parts.sql("with mark as ("),
        false => parts.sql(", mark as ("),
    };
    done(parts, &call.run, done_note, when).sql(") ")
}

/// Adds the statement that notes that the handler is done.
fn done(statement: Statement, run: &RunInfo, done_note: &DoneNote, when: When) -> Statement {
    let statement = statement
        .sql("insert into oms_branches as b (pipeline, handler, object, key, run, state) select ")
        .text(&*run.pipeline)
        .sql(", ")
        .text(&*done_note.handler)
        .sql(", ")
        .text(&*done_note.object)
        .sql(", ")
        .text(&*run.key)
        .sql(", ")
        .text(&*run.id)
        .sql(", 'completed'");
    let statement = match when {
        When::Always => statement,
        When::Claimed => statement.sql(" from claimed where claimed.state = 'done'"),
        When::Written => statement
            .sql(" from written where oms_run = ")
            .text(&*run.id)
            .sql(" and oms_order = ")
            .text(run.digest.to_string()),
    };
    // An existing note that the handler is done stays as it is. If the order was cancelled during
    // this attempt, the note says what has happened.
    statement.sql(
        " on conflict (pipeline, handler, object) do update set state = 'completed', cause = null, reason = null, attempts = null, run = excluded.run, key = excluded.key, \
         at = now() where b.state <> 'completed'",
    )
}

/// Returns the statement that notes that a handler is not done with an order, with the cause and the
/// reason. An existing note that the handler is done, or that the order was cancelled, stays as it
/// is. For an order that SQS gave up on, the key may be a guess, so an existing one is kept.
fn undone(
    state: &str,
    pipeline: &str,
    key: &str,
    done_note: &DoneNote,
    (cause, reason): (&str, &str),
    attempts: Option<&str>,
) -> Statement {
    Statement::default()
        .sql("insert into oms_branches as b (pipeline, handler, object, key, run, state, cause, reason, attempts) values (")
        .text(pipeline)
        .sql(", ")
        .text(&*done_note.handler)
        .sql(", ")
        .text(&*done_note.object)
        .sql(", ")
        .text(key)
        .sql(", ")
        .text(oms_core::effects::run_id(pipeline, key))
        .sql(", ")
        .text(state)
        .sql(", ")
        .text(cause)
        .sql(", ")
        .text(reason)
        .sql(", ")
        .bind(Hint::Text, attempts.map(str::to_owned))
        .sql(
            ") on conflict (pipeline, handler, object) do update set state = excluded.state, \
             key = case when excluded.cause = 'deliveries' then b.key else excluded.key end, \
             run = case when excluded.cause = 'deliveries' then b.run else excluded.run end, \
             cause = excluded.cause, reason = excluded.reason, attempts = excluded.attempts, at = now() where b.state not in ('completed', 'cancelled')",
        )
}

/// Returns the state in a note.
pub(crate) fn noted_state(text: &str) -> RunState {
    RunState::parse(text).unwrap_or(RunState::Completed)
}

impl Branches for SqlBranches {
    fn done<'a>(&'a self, run: &'a RunInfo, done_note: &'a DoneNote) -> Io<'a, ()> {
        Box::pin(async move {
            let statement = done(Statement::default(), run, done_note, When::Always);
            self.database.run(&statement).await.map(drop)
        })
    }

    fn parked<'a>(
        &'a self,
        pipeline: &'a str,
        key: &'a str,
        done_note: &'a DoneNote,
        cause: &'a str,
        reason: &'a str,
    ) -> Io<'a, bool> {
        Box::pin(async move {
            let statement = undone("parked", pipeline, key, done_note, (cause, reason), None);
            let rows = self.database.run(&statement.sql(" returning state")).await?;
            Ok(!rows.is_empty())
        })
    }

    fn waiting<'a>(
        &'a self,
        pipeline: &'a str,
        key: &'a str,
        done_note: &'a DoneNote,
        failure: (&'a str, &'a str),
        attempts: &'a str,
    ) -> Io<'a, bool> {
        Box::pin(async move {
            let statement = undone("waiting", pipeline, key, done_note, failure, Some(attempts));
            let rows = self.database.run(&statement.sql(" returning state")).await?;
            Ok(!rows.is_empty())
        })
    }

    fn noted<'a>(
        &'a self,
        pipeline: &'a str,
        done_note: &'a DoneNote,
    ) -> Io<'a, Option<HandlerNote>> {
        Box::pin(async move {
            let statement = Statement::default()
                .sql("select state, attempts from oms_branches where pipeline = ")
                .text(pipeline)
                .sql(" and handler = ")
                .text(&*done_note.handler)
                .sql(" and object = ")
                .text(&*done_note.object);
            let row = self.database.run(&statement).await?.into_iter().next();
            Ok(row.and_then(|row| match <[Option<String>; 2]>::try_from(row) {
                Ok([Some(state), attempts]) => {
                    Some(HandlerNote { state: noted_state(&state), attempts })
                }
                _ => None,
            }))
        })
    }

    fn missing<'a>(
        &'a self,
        pipeline: &'a str,
        handlers: &'a [&'a str],
        objects: &'a [&'a str],
    ) -> Io<'a, Vec<MissingNote>> {
        Box::pin(async move {
            // A handler that waits writes its note at least once a day. Lists are passed as JSON,
            // because the RDS Data API does not support arrays.
            let list = |texts: &[&str]| Json::from(texts.to_vec()).to_string();
            let statement = Statement::default()
                .sql("select o.object, h.handler from jsonb_array_elements_text(cast(")
                .text(list(objects))
                .sql(" as jsonb)) as o (object) cross join jsonb_array_elements_text(cast(")
                .text(list(handlers))
                .sql(" as jsonb)) as h (handler) where not exists (select from oms_branches b where b.pipeline = ")
                .text(pipeline)
                .sql(" and b.handler = h.handler and b.object = o.object and (b.state <> 'waiting' or b.at > now() - interval '2 days')) order by 1, 2");
            let rows = self.database.run(&statement).await?;
            let missing = rows.into_iter().filter_map(|row| match row.as_slice() {
                [Some(object), Some(handler)] => {
                    Some(MissingNote { object: object.clone(), handler: handler.clone() })
                }
                _ => None,
            });
            Ok(missing.collect())
        })
    }

    fn cursor<'a>(&'a self, pipeline: &'a str) -> Io<'a, Option<String>> {
        Box::pin(async move {
            let statement = Statement::default()
                .sql("select object from oms_cursors where pipeline = ")
                .text(pipeline);
            let rows = self.database.run(&statement).await?;
            Ok(rows.into_iter().next().and_then(|row| row.into_iter().next()).flatten())
        })
    }

    fn set_cursor<'a>(&'a self, pipeline: &'a str, after: Option<&'a str>) -> Io<'a, ()> {
        Box::pin(async move {
            let statement = Statement::default()
                .sql("insert into oms_cursors (pipeline, object) values (")
                .text(pipeline)
                .sql(", ")
                .bind(Hint::Text, after.map(str::to_owned))
                .sql(") on conflict (pipeline) do update set object = excluded.object");
            self.database.run(&statement).await.map(drop)
        })
    }
}

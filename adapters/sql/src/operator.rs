//! Changes that an operator makes to the records of orders: cancel an order, delete old notes, and
//! erase what the records say about e-mails.

use std::time::Duration;

use jiff::Timestamp;
use oms_core::effects::{StepError, run_id};
use oms_core::table::ColumnShape;
use oms_core::value::Value;
use serde_json::Value as Json;

use crate::database::Database;
use crate::statement::{Hint, Statement};

/// Maximum number of orders that one statement examines, or of runs that it changes.
const BATCH_SIZE: usize = 500;

/// An order to cancel.
#[derive(Clone, Copy, Debug)]
pub struct CancelledOrder<'a> {
    /// The key of the order.
    pub key: &'a str,
    /// The object key of the stored order.
    pub object: &'a str,
    /// When the order was accepted.
    pub accepted_at: Timestamp,
}

/// The result of cancelling an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelResult {
    /// The order is cancelled.
    Cancelled,
    /// No handler has parked the order or waits for its next attempt.
    NotOpen,
    /// The order was accepted too recently.
    TooYoung,
}

/// Notes that no step of an order runs any more in the `handlers` that are not done with it, and in
/// earlier handlers that have parked it or wait for it. Changes nothing if no handler has parked the
/// order or waits for its next attempt, or if the order was accepted less than `min_age` ago.
///
/// # Errors
/// Returns an error if the database fails. The call can be repeated.
pub async fn cancel(
    database: &dyn Database,
    pipeline: &str,
    handlers: &[&str],
    order: CancelledOrder<'_>,
    min_age: Duration,
) -> Result<CancelResult, StepError> {
    let of_order = |statement: Statement| {
        statement.sql("pipeline = ").text(pipeline).sql(" and key = ").text(order.key)
    };
    let handlers = |statement: Statement| {
        let list = Json::from(handlers.to_vec()).to_string();
        statement.sql("jsonb_array_elements_text(cast(").text(list).sql(" as jsonb))")
    };
    let statement = Statement::default().sql(
        "with found as (select coalesce(bool_or(state in ('parked', 'waiting')), false) as is_open, now() - interval '1 second' * ",
    );
    let statement = statement.bind(Hint::Integer, Some(min_age.as_secs().to_string())).sql(" >= ");
    let statement =
        instant(statement, order.accepted_at).sql(" as is_old from oms_branches where ");
    let statement = of_order(statement)
        .sql("), cancelled as (insert into oms_branches as b (pipeline, handler, object, key, run, state) select ")
        .text(pipeline)
        .sql(", h.handler, ")
        .text(order.object)
        .sql(", ")
        .text(order.key)
        .sql(", ")
        .text(run_id(pipeline, order.key))
        .sql(", 'cancelled' from ");
    let ended = "state = 'cancelled', cause = null, reason = null, attempts = null, at = now()";
    let statement = handlers(statement).sql(&format!(
        " as h (handler), found where is_open and is_old on conflict (pipeline, handler, object) do update set {ended} \
         where b.state <> 'completed'), earlier as (update oms_branches b set {ended} from found where is_open and is_old \
         and b.state in ('parked', 'waiting') and b.",
    ));
    let statement = of_order(statement).sql(" and b.handler not in (select ");
    let statement = handlers(statement).sql(
        ")) select case when not is_open then 'not open' when not is_old then 'too young' else 'cancelled' end from found",
    );
    let answer = database.run(&statement).await?.into_iter().flatten().next().flatten();
    Ok(match answer.as_deref() {
        Some("cancelled") => CancelResult::Cancelled,
        Some("too young") => CancelResult::TooYoung,
        _ => CancelResult::NotOpen,
    })
}

/// Deletes the notes on orders that ended before an instant: no handler has parked the order or
/// waits for its next attempt, and the latest note is older. Claims and completed effects are kept,
/// so that no effect is repeated. Returns the number of orders.
///
/// # Errors
/// Returns an error if the database fails. Notes that were already deleted stay deleted.
pub async fn prune(
    database: &dyn Database,
    pipeline: &str,
    before: Timestamp,
) -> Result<u64, StepError> {
    let (mut pruned, mut after) = (0, String::new());
    loop {
        let statement = Statement::default()
            .sql(
                "with seen as (select key, bool_and(state in ('completed', 'cancelled')) as ended, max(at) as latest \
                 from oms_branches where pipeline = ",
            )
            .text(pipeline)
            .sql(" and key > ")
            .text(&*after)
            .sql(" group by key order by key limit ")
            .bind(Hint::Integer, Some(BATCH_SIZE.to_string()))
            .sql("), old as (delete from oms_branches b using seen where b.pipeline = ")
            .text(pipeline)
            .sql(" and b.key = seen.key and seen.ended and seen.latest < ");
        let statement = instant(statement, before).sql(
            " returning b.key) select cast((select count(distinct key) from old) as text), max(key) from seen",
        );
        let mut row = database.run(&statement).await?.into_iter().flatten();
        let count = row.next().flatten().and_then(|count| count.parse::<u64>().ok());
        pruned += count.unwrap_or_default();
        match row.next().flatten() {
            Some(last) => after = last,
            None => return Ok(pruned),
        }
    }
}

/// Erases the provider's ids and the events of the e-mails of runs. The claims stay, so that no
/// e-mail is sent again.
///
/// # Errors
/// Returns an error if the database fails. The call can be repeated.
pub async fn erase_mail_records(database: &dyn Database, runs: &[String]) -> Result<(), StepError> {
    for part in runs.chunks(BATCH_SIZE) {
        let statement = Statement::default()
            .sql("with claims as (update oms_claims set provider_id = null where run in (select jsonb_array_elements_text(cast(")
            .text(Json::from(part.to_vec()).to_string())
            .sql(" as jsonb))) returning key) delete from oms_mail_events where event in ('bounced', 'complained', 'rejected') and key in (select key from claims)");
        database.run(&statement).await?;
    }
    Ok(())
}

/// Adds an instant.
fn instant(statement: Statement, at: Timestamp) -> Statement {
    statement.value(ColumnShape::Timestamp, &Value::Timestamp(at))
}

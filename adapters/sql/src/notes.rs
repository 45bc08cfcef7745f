//! Searches handlers' notes on orders.

use oms_core::effects::{MailEvent, RunState, StepError};

use crate::branches::noted_state;
use crate::database::Database;
use crate::statement::{Hint, Statement};

/// The format of an instant for `to_char`. It is bound as a value, because it contains colons.
const ISO: &str = "YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"";

/// A handler's note on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The order's key.
    pub key: String,
    /// The object key of the stored order.
    pub object: String,
    /// The handler.
    pub handler: String,
    /// Whether the handler is done with the order, has parked it, waits for its next attempt, or an
    /// operator has cancelled the order.
    pub state: RunState,
    /// The causes, separated by commas.
    pub cause: Option<String>,
    /// The reason, as text.
    pub reason: Option<String>,
    /// The time of the note, in UTC.
    pub at: String,
}

/// The conditions of a search for orders.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoteFilter<'a> {
    /// The key of the order.
    pub key: Option<&'a str>,
    /// The state of the order.
    pub state: Option<RunState>,
    /// One of the causes of a parked order.
    pub cause: Option<&'a str>,
    /// An event of one of the order's e-mails.
    pub mail: Option<MailEvent>,
    /// Maximum number of orders. The latest orders come first.
    pub limit: u32,
    /// Number of orders to skip.
    pub offset: u32,
}

/// Returns the notes on the orders that match. An order is parked if one of the pipeline's
/// `handlers` parked it, waiting if one of them waits for its next attempt, cancelled if an operator
/// has cancelled it, completed if all handlers are done with it, and otherwise in progress. Orders
/// without any note are not returned.
///
/// # Errors
/// Returns an error if the database fails.
pub async fn notes(
    database: &dyn Database,
    pipeline: &str,
    handlers: usize,
    filter: NoteFilter<'_>,
) -> Result<Vec<Note>, StepError> {
    let mut keys = Statement::default()
        .sql("with wanted as (select key, max(at) as latest from oms_branches where pipeline = ")
        .text(pipeline);
    if let Some(key) = filter.key {
        keys = keys.sql(" and key = ").text(key);
    }
    match filter.mail {
        None => {}
        Some(MailEvent::Sent) => {
            keys = keys.sql(" and run in (select run from oms_claims where state = 'done')");
        }
        Some(event) => {
            keys = keys
                .sql(" and run in (select c.run from oms_claims c join oms_mail_events e using (key) where e.event = ")
                .text(event.as_str())
                .sql(")");
        }
    }
    keys = keys.sql(" group by key having ");
    let (parked, waiting) = ("bool_or(state = 'parked')", "bool_or(state = 'waiting')");
    let ended = format!("not {parked} and not {waiting}");
    let cancelled = "bool_or(state = 'cancelled')";
    let done = |keys: Statement, sign: &str| {
        let count = keys.sql(&format!("count(*) filter (where state = 'completed') {sign} "));
        count.bind(Hint::Integer, Some(handlers.to_string()))
    };
    keys = match filter.state {
        None => keys.sql("true"),
        Some(RunState::Parked) => keys.sql(parked),
        Some(RunState::Completed) => done(keys, ">="),
        Some(RunState::Waiting) => keys.sql(&format!("{waiting} and not {parked}")),
        Some(RunState::InProgress) => {
            done(keys.sql(&format!("{ended} and not {cancelled} and ")), "<")
        }
        Some(RunState::Cancelled) => keys.sql(&format!("{ended} and {cancelled}")),
    };
    if let Some(cause) = filter.cause {
        keys = keys.sql(" and bool_or(state = 'parked' and ").text(cause);
        keys = keys.sql(" = any(string_to_array(cause, ',')))");
    }
    let statement = keys
        .sql(" order by latest desc, key limit ")
        .bind(Hint::Integer, Some(filter.limit.to_string()))
        .sql(" offset ")
        .bind(Hint::Integer, Some(filter.offset.to_string()))
        .sql(
            ") select b.key, b.object, b.handler, b.state, b.cause, b.reason, to_char(b.at at time zone 'UTC', ",
        )
        .text(ISO)
        .sql(
            ") from oms_branches b join wanted using (key) where b.pipeline = ",
        )
        .text(pipeline)
        .sql(" order by wanted.latest desc, b.key, b.handler");
    let rows = database.run(&statement).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| match <[Option<String>; 7]>::try_from(row) {
            Ok([Some(key), Some(object), Some(handler), Some(state), cause, reason, Some(at)]) => {
                let state = noted_state(&state);
                Some(Note { key, object, handler, state, cause, reason, at })
            }
            _ => None,
        })
        .collect())
}

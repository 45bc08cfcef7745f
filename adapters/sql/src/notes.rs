//! Searches handlers' notes on orders.

use oms_core::effects::{RunState, StepError};

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
    /// Whether the handler parked the order. Otherwise, the handler is done with it.
    pub parked: bool,
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
    /// Maximum number of orders. The latest orders come first.
    pub limit: u32,
    /// Number of orders to skip.
    pub offset: u32,
}

/// Returns the notes on the orders that match. An order is completed if all of the pipeline's
/// `handlers` are done with it, parked if one of them parked it, and otherwise in progress. Orders
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
    keys = keys.sql(" group by key having ");
    let parked = "bool_or(state = 'parked')";
    let done = |keys: Statement, sign: &str| {
        let count = keys.sql(&format!("count(*) filter (where state = 'completed') {sign} "));
        count.bind(Hint::Integer, Some(handlers.to_string()))
    };
    keys = match filter.state {
        None => keys.sql("true"),
        Some(RunState::Parked) => keys.sql(parked),
        Some(RunState::Completed) => done(keys, ">="),
        Some(RunState::InProgress) => done(keys.sql(&format!("not {parked} and ")), "<"),
        Some(RunState::Waiting | RunState::Cancelled) => keys.sql("false"),
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
                let parked = state == "parked";
                Some(Note { key, object, handler, parked, cause, reason, at })
            }
            _ => None,
        })
        .collect())
}

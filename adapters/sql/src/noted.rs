//! What the handlers noted, to be looked at by people.

use oms_core::effects::{RunState, StepError};

use crate::database::Database;
use crate::statement::{Hint, Statement};

/// An instant as PostgreSQL's `to_char` writes it; bound, since it has colons.
const ISO: &str = "YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"";

/// A handler's note on an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// The order's key.
    pub key: String,
    /// The key of the object that it is stored as.
    pub object: String,
    /// The handler.
    pub handler: String,
    /// Whether it is done, or parked.
    pub parked: bool,
    /// Causes, with commas between them.
    pub cause: Option<String>,
    /// In words.
    pub reason: Option<String>,
    /// When, in UTC.
    pub at: String,
}

/// Which orders are looked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// With this key.
    pub key: Option<&'a str>,
    /// In this state.
    pub state: Option<RunState>,
    /// Parked, with this among the causes.
    pub cause: Option<&'a str>,
    /// How many at the most; the latest come first.
    pub limit: u32,
    /// How many of them are left out, because they are known.
    pub offset: u32,
}

/// Returns the notes on the orders that are looked for. An order is completed when all of the pipeline's `handlers` have noted so, parked when
/// one of them has, and in progress else; one that no handler has a note on yet is not known here.
///
/// # Errors
/// What the database said.
pub async fn noted(
    database: &dyn Database,
    pipeline: &str,
    handlers: usize,
    wanted: Wanted<'_>,
) -> Result<Vec<Noted>, StepError> {
    let mut keys = Statement::default()
        .sql("with wanted as (select key, max(at) as latest from oms_branches where pipeline = ")
        .text(pipeline);
    if let Some(key) = wanted.key {
        keys = keys.sql(" and key = ").text(key);
    }
    keys = keys.sql(" group by key having ");
    let parked = "bool_or(state = 'parked')";
    let done = |keys: Statement, sign: &str| {
        let count = keys.sql(&format!("count(*) filter (where state = 'completed') {sign} "));
        count.bind(Hint::Integer, Some(handlers.to_string()))
    };
    keys = match wanted.state {
        None => keys.sql("true"),
        Some(RunState::Parked) => keys.sql(parked),
        Some(RunState::Completed) => done(keys, ">="),
        Some(RunState::InProgress) => done(keys.sql(&format!("not {parked} and ")), "<"),
        Some(RunState::Waiting | RunState::Cancelled) => keys.sql("false"),
    };
    if let Some(cause) = wanted.cause {
        keys = keys.sql(" and bool_or(state = 'parked' and ").text(cause);
        keys = keys.sql(" = any(string_to_array(cause, ',')))");
    }
    let statement = keys
        .sql(" order by latest desc, key limit ")
        .bind(Hint::Integer, Some(wanted.limit.to_string()))
        .sql(" offset ")
        .bind(Hint::Integer, Some(wanted.offset.to_string()))
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
                Some(Noted { key, object, handler, parked, cause, reason, at })
            }
            _ => None,
        })
        .collect())
}

//! The connection to the server.

use oms_core::effects::Io;

use crate::statement::Statement;

/// The rows of a result, with every column as text. A statement without a result returns no rows.
pub type Rows = Vec<Vec<Option<String>>>;

/// A connection to a PostgreSQL server.
pub trait Database: Send + Sync {
    /// Runs one statement in its own transaction.
    ///
    /// # Errors
    /// When the server returns an error, classified by [`from_state`](crate::from_state), or with
    /// the cause `unavailable` if it cannot be reached.
    fn run<'a>(&'a self, statement: &'a Statement) -> Io<'a, Rows>;
}

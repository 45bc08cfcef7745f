//! The connection to a server.

use oms_core::effects::Io;

use crate::statement::Statement;

/// The rows of a result, with every column as text. A statement without a result returns no rows.
pub type Rows = Vec<Vec<Option<String>>>;

/// A connection to a PostgreSQL server.
pub trait Database: Send + Sync {
    /// Runs one statement in its own transaction.
    ///
    /// # Errors
    /// Returns an error if the server fails or cannot be reached. An error of the server is
    /// classified by [`from_state`](crate::from_state); the cause of a failed connection is
    /// `unavailable`.
    fn run<'a>(&'a self, statement: &'a Statement) -> Io<'a, Rows>;
}

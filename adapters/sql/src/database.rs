//! The way to the server.

use oms_core::effects::Io;

use crate::statement::Statement;

/// The rows of an answer, every column as text. A statement whose answer has no rows gives none.
pub type Rows = Vec<Vec<Option<String>>>;

/// The way to a PostgreSQL server.
pub trait Database: Send + Sync {
    /// Runs one statement by itself, in a transaction of its own.
    ///
    /// # Errors
    /// As [`from_state`](crate::from_state) sorts what the server said, or `unavailable` when it could not be asked.
    fn run<'a>(&'a self, statement: &'a Statement) -> Io<'a, Rows>;
}

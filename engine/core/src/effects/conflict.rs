//! The errors of writes that would replace the data of another step or run. Every world reports
//! them in the same words.

use super::error::{StepError, cause};

impl StepError {
    /// Creates the error for an object whose key another run has used for other content.
    pub fn object_of_another_run(bucket: &str) -> Self {
        let message = format!("another run stored an object with this key in `{bucket}`");
        Self::permanent(cause::CONFLICT, message)
    }

    /// Creates the error for a row whose key is in use by a row that this run did not write.
    pub fn row_of_another_run(table: &str) -> Self {
        let message = format!(
            "a row with this key already exists in `{table}`, and this run did not write it"
        );
        Self::permanent(cause::CONFLICT, message)
    }

    /// Creates the error for a row whose key this run has used for another row.
    pub fn other_row_of_this_run(table: &str) -> Self {
        let message = format!("this run wrote another row with this key to `{table}`");
        Self::permanent(cause::CONFLICT, message)
    }
}

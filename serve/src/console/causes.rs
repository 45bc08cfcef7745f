//! Explanations of the causes of parked runs.

use oms_engine::effects::cause;

/// Explains causes and their remedies. A run may have several causes.
pub(crate) fn explain(causes: &str) -> String {
    let texts = causes.split(',').map(|one| match one {
        cause::NO_RATE => "The rate table has no usable exchange rate for the currency and day of the order. Add a rate to the table or its files.",
        cause::NO_ROW => "A row that a step reads does not exist. Add it to the table (oms db import).",
        cause::NO_OBJECT => "An object that a step reads does not exist.",
        cause::CONDITION => "The row that a step changes does not meet its condition (`only_if`). Correct the row, then retry the run.",
        cause::CONFLICT => "A row or an object with the same key already exists, from another run, another step or element of this run, a seed or an import.",
        cause::OUT_OF_RANGE => "A value exceeds the limit of its column, e-mail or operation.",
        cause::TIMEOUT => "The last attempt of a step exceeded the timeout.",
        cause::THROTTLED => "A service rejected the last attempt because of too many requests. Retry the run later.",
        cause::ANSWER => "The answer of a service does not match the schema of the step. Correct the schema, then retry the run. The stored answer is read, and the service is not called again.",
        cause::UNAVAILABLE => "A service was unavailable or busy on the last attempt.",
        cause::CONTENTION => "On the last attempt, another transaction changed the same rows at the same time. Retry the run.",
        cause::BAD_ADDRESS => "No e-mail can be sent to this address.",
        cause::REFUSED => "A service rejected a request.",
        cause::UNKNOWN_OUTCOME => "The outcome of an action is unknown, for example whether an e-mail was sent. Check the outcome, then mark the e-mail as sent or resend it. oms does not repeat the action automatically.",
        cause::ENVIRONMENT => "A required table, permission or bucket is missing. Set it up, then retry the run.",
        cause::TEMPLATE => "An e-mail could not be rendered from its template.",
        cause::PLAN => "This version of oms cannot read the pipeline that the run started with.",
        cause::PANIC => "A step kind has a bug. Report it to its authors with the lines that the process wrote to standard error.",
        cause::DAMAGED => "The stored data of the run is damaged. Cancel the run, or restore a backup.",
        cause::RESTORED => "The run was in progress or waiting at the time of the backup from which the state was restored. Check whether its e-mails have been sent since then, and then retry it.",
        cause::DELIVERIES => "The queue delivered the order too often without a result. Retry the run.",
        cause::ORDER => "The stored order is not a valid order of the pipeline.",
        cause::MESSAGE => "A message on the queue does not name an order.",
        _ => "A step failed with a cause of the pipeline or of its kind.",
    });
    texts.collect::<Vec<_>>().join(" ")
}

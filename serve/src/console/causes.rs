//! Explanations of the causes of parked runs.

use oms_engine::effects::cause;

/// Explains causes and their remedies. A run may have several causes.
pub(crate) fn explain(causes: &str) -> String {
    let texts = causes.split(',').map(|one| match one {
        cause::NO_RATE => "The exchange rate is missing for the order's date and the days before it. Add it to the rates file or to the overrides.",
        cause::NO_ROW => "A row that a step reads does not exist. Add it to the table (oms db import).",
        cause::NO_OBJECT => "An object that a step reads does not exist.",
        cause::CONFLICT => "Another run wrote a row or an object with this key.",
        cause::OUT_OF_RANGE => "A value exceeds the limit of its column, e-mail or operation.",
        cause::TIMEOUT => "A step exceeded its timeout on every attempt.",
        cause::UNAVAILABLE => "A service did not respond on any attempt.",
        cause::BAD_ADDRESS => "No e-mail can be sent to this address.",
        cause::REFUSED => "A service rejected a request.",
        cause::UNKNOWN_OUTCOME => "The outcome of an action is unknown, for example whether an e-mail was sent. Check the outcome, then mark the e-mail as sent or resend it. oms does not repeat the action automatically.",
        cause::ENVIRONMENT => "A required table, permission or bucket is missing. Set it up, then retry the run.",
        cause::TEMPLATE => "An e-mail could not be rendered from its template.",
        cause::PLAN => "This version of oms cannot read the pipeline that the run started with.",
        cause::PANIC => "A step kind has a bug. Report it to its authors with the lines that the process wrote to standard error.",
        cause::DAMAGED => "The stored data of the run is damaged. Cancel the run, or restore a backup.",
        cause::RESTORED => "The run was in progress at the time of the backup from which the state was restored. Check whether its e-mails were sent since, then retry it.",
        _ => "A step failed.",
    });
    texts.collect::<Vec<_>>().join(" ")
}

//! Test events for the handlers, made from a sample order, for trying the handlers locally.

use std::sync::Arc;

use oms_engine::plan::{Choreography, Plan};
use oms_engine::run::accept;
use oms_engine::value::Value;
use serde_json::{Value as Json, json};

use crate::resources::View;

/// Returns the events by the names of their handlers. Returns no events if the pipeline rejects the
/// sample.
pub(crate) fn events(
    plan: &Arc<Plan>,
    choreography: &Choreography,
    view: &View,
    (name, order): (&str, &[u8]),
) -> Vec<(String, Json)> {
    let Ok(run) = accept(plan, order, name, jiff::Timestamp::UNIX_EPOCH) else { return Vec::new() };
    let input = run.scheduler.input(choreography.store);
    let record = input.as_ref().and_then(Value::as_record);
    let object = record.and_then(|record| record.get("key")).and_then(Value::as_text);
    let put = json!({
        "httpMethod": "PUT",
        "headers": { "content-type": "application/json" },
        "pathParameters": { "key": &*run.info.key },
        "body": String::from_utf8_lossy(order),
        "isBase64Encoded": false,
    });
    let stored = json!({ "Records": [{
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": view.bucket() }, "object": { "key": object } },
    }] });
    let queued = json!({ "Records": [{
        "eventSource": "aws:sqs",
        "messageId": "00000000-0000-0000-0000-000000000000",
        "body": stored.to_string(),
    }] });
    let scheduled =
        json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} });
    let branches = view.branches.iter().map(|branch| (branch.name.clone(), queued.clone()));
    let reconcile = view.reconcile.iter().map(|_| ("reconcile".to_owned(), scheduled.clone()));
    let refresh = view.rates.iter().map(|_| ("refresh".to_owned(), scheduled.clone()));
    let intake = view.intake.direct.is_none().then(|| ("intake".to_owned(), put));
    intake.into_iter().chain(branches).chain(reconcile).chain(refresh).collect()
}

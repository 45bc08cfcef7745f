//! Tests of all event formats.

use oms_engine::effects::OrderLocation;
use oms_lambda::messages;
use serde_json::{Value as Json, json};

fn record(key: &str) -> Json {
    json!({ "eventSource": "aws:s3", "eventName": "ObjectCreated:Put",
        "s3": { "bucket": { "name": "b" }, "object": { "key": key, "versionId": "v1" } } })
}

fn places(event: &Json) -> Vec<String> {
    let all = messages(event).into_iter().flat_map(|message| message.places);
    all.map(|OrderLocation { bucket, key, version }| format!("{bucket}/{key}@{version:?}"))
        .collect()
}

#[test]
fn the_same_order_is_found_however_the_event_is_wrapped() {
    let s3 = json!({ "Records": [record("a+b%2Bc%C3%A4.json"), record("two")] });
    let text = s3.to_string();
    let envelope = json!({ "Type": "Notification", "Message": text }).to_string();
    let sqs = |body: &str| json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "m", "body": body }] });
    let sns = json!({ "Records": [{ "EventSource": "aws:sns", "Sns": { "Message": text } }] });
    let expected = ["b/a b+cä.json@Some(\"v1\")", "b/two@Some(\"v1\")"];
    for event in [&s3, &sns, &sqs(&text), &sqs(&envelope)] {
        assert_eq!(places(event), expected, "{event}");
    }
    let plain = json!({ "objects": [{ "bucket": "b", "key": "k" }] });
    assert_eq!(places(&plain), ["b/k@None"]);
}

#[test]
fn special_messages_are_distinguished_from_unreadable_ones() {
    let sqs = |body: Json| json!({ "Records": [{ "eventSource": "aws:sqs", "messageId": "m", "body": body.to_string() }] });
    let note = |event: &Json| format!("{:?}", messages(event)[0].note);
    assert_eq!(
        note(&sqs(json!({ "Service": "Amazon S3", "Event": "s3:TestEvent" }))),
        "Some(Test)"
    );
    let mut deleted = record("k");
    deleted["eventName"] = "ObjectRemoved:Delete".into();
    assert_eq!(note(&sqs(json!({ "Records": [deleted] }))), "Some(Deleted)");
    for broken in
        [json!({}), json!([]), json!("x"), json!({ "Records": [{}] }), json!({ "objects": [{}] })]
    {
        assert_eq!(note(&sqs(broken.clone())), "Some(Unreadable)", "{broken}");
    }
    assert_eq!(
        note(&json!({ "Records": [{ "eventSource": "aws:sqs", "body": "{" }] })),
        "Some(Unreadable)"
    );
}

/// Parses sample events from AWS's own libraries and events composed from them, if the large test
/// data is available.
#[test]
fn sample_events_are_understood() {
    #[expect(clippy::disallowed_methods, reason = "the location of the large test data")]
    let Ok(shared) = std::env::var("OMS_SHARED") else {
        println!("skipped: sample events, because OMS_SHARED is not set");
        return;
    };
    let folder = std::path::Path::new(&shared).join("data/events");
    let read = |name: &str| -> Json {
        serde_json::from_slice(&std::fs::read(folder.join(name)).unwrap()).unwrap()
    };
    for (name, count) in [
        ("composed/s3-key-url-encoded.json", 1),
        ("composed/s3-put-origin.json", 1),
        ("composed/s3-two-records-in-one-message.json", 2),
        ("composed/sns-minimal-origin-event.json", 1),
        ("composed/s3-test-event.json", 0),
        ("aws-sam-cli/s3-put.json", 1),
        ("aws-sam-cli/s3-delete.json", 0),
        ("aws-lambda-go/s3-event.json", 1),
    ] {
        assert_eq!(places(&read(name)).len(), count, "{name}");
    }
}

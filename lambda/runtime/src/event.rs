//! Extracts the stored orders from an event. It supports S3 notifications through SQS (raw or in an
//! SNS envelope), through SNS, and direct ones, as well as messages from `oms` and plain
//! invocations ([`OrderLocation::to_message`]).

use oms_engine::effects::OrderLocation;
use percent_encoding::percent_decode_str;
use serde_json::Value as Json;

/// A message of an event. It succeeds or fails as a whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// The message id of SQS, which identifies the message if it fails. `None` if the message did
    /// not come from SQS.
    pub id: Option<String>,
    /// How SQS delivered the message. `None` if the message did not come from SQS.
    pub delivery: Option<Delivery>,
    /// The stored orders in the message. Empty for test events and deletions.
    pub places: Vec<OrderLocation>,
    /// A reason why the message contains no orders.
    pub note: Option<Note>,
}

/// How SQS delivered a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Identifies this delivery of the message.
    pub receipt: String,
    /// How often the message was delivered, with this time.
    pub count: u32,
}

/// A special message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// A test event that S3 sends when notifications are configured.
    Test,
    /// A notification about a deletion.
    Deleted,
    /// A message in an unknown format.
    Unreadable,
}

/// Parses an event.
pub fn messages(event: &Json) -> Vec<Message> {
    let records = event.get("Records").and_then(Json::as_array);
    let by_sqs =
        records.is_some_and(|records| records.iter().any(|record| source(record) == "aws:sqs"));
    match records {
        Some(records) if by_sqs => records.iter().map(of_sqs).collect(),
        _ => vec![Message::of(None, event)],
    }
}

/// Returns the orders that the body of a message names.
pub(crate) fn orders_of(body: &Json) -> Vec<OrderLocation> {
    Message::of(None, body).places
}

impl Message {
    fn of(id: Option<String>, content: &Json) -> Self {
        let mut message = Self { id, delivery: None, places: Vec::new(), note: None };
        message.add(content);
        message
    }

    fn add(&mut self, content: &Json) {
        if content.get("Event").and_then(Json::as_str) == Some("s3:TestEvent") {
            self.note = Some(Note::Test);
        } else if content.get("objects").is_some() {
            match OrderLocation::from_message(content) {
                Some(places) => self.places.extend(places),
                None => self.note = Some(Note::Unreadable),
            }
        } else if let Some(records) = content.get("Records").and_then(Json::as_array) {
            for record in records {
                self.add_record(record);
            }
        } else if content.get("Type").and_then(Json::as_str) == Some("Notification") {
            self.add_text(content.get("Message"));
        } else {
            self.note = Some(Note::Unreadable);
        }
    }

    /// Adds a record. The type of the record depends on its content, because some forwarders remove
    /// the name of the source.
    fn add_record(&mut self, record: &Json) {
        if let Some(envelope) = record.get("Sns") {
            return self.add_text(envelope.get("Message"));
        }
        let name = record.get("eventName").and_then(Json::as_str);
        match stored(record) {
            Some(_) if name.is_some_and(|name| !name.contains("ObjectCreated")) => {
                self.note = Some(Note::Deleted);
            }
            Some(place) => self.places.push(place),
            None => self.note = Some(Note::Unreadable),
        }
    }

    fn add_text(&mut self, text: Option<&Json>) {
        let content = text.and_then(Json::as_str).and_then(|text| serde_json::from_str(text).ok());
        match content {
            Some(content) => self.add(&content),
            None => self.note = Some(Note::Unreadable),
        }
    }
}

fn of_sqs(record: &Json) -> Message {
    let id = record.get("messageId").and_then(Json::as_str).map(str::to_owned);
    let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str);
    let delivery = text("/receiptHandle").map(|receipt| Delivery {
        receipt: receipt.to_owned(),
        count: text("/attributes/ApproximateReceiveCount")
            .and_then(|count| count.parse().ok())
            .unwrap_or(1),
    });
    let mut message = Message { id, delivery, places: Vec::new(), note: None };
    message.add_text(record.get("body"));
    message
}

fn source(record: &Json) -> &str {
    let source = record.get("eventSource").or_else(|| record.get("EventSource"));
    source.and_then(Json::as_str).unwrap_or_default()
}

/// Returns the place of a stored object. Its key is form-encoded: a plus sign means a space.
fn stored(record: &Json) -> Option<OrderLocation> {
    let text = |pointer: &str| record.pointer(pointer).and_then(Json::as_str);
    let key = text("/s3/object/key")?.replace('+', " ");
    Some(OrderLocation {
        bucket: text("/s3/bucket/name")?.to_owned(),
        key: percent_decode_str(&key).decode_utf8().ok()?.into_owned(),
        version: text("/s3/object/versionId").map(str::to_owned),
    })
}

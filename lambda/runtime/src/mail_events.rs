//! The handler of SES's events: it settles claims on e-mails whose outcome was unknown, and notes
//! bounces and complaints.

use std::sync::Arc;

use oms_engine::effects::{MailAttempt, MailEvent, MailEvents};
use serde_json::{Value as Json, json};

use crate::log;

/// A handler that records SES's events ("Contents of event data that Amazon SES publishes to Amazon
/// SNS").
pub struct MailEventHandler {
    events: Arc<dyn MailEvents>,
}

/// An event about an e-mail of a step.
#[derive(Debug, PartialEq, Eq)]
struct Published {
    event: MailEvent,
    attempt: MailAttempt,
    /// The kind of bounce, complaint or rejection, without addresses.
    detail: String,
}

impl MailEventHandler {
    /// Creates the handler.
    pub fn new(events: Arc<dyn MailEvents>) -> Self {
        Self { events }
    }

    /// Records the events of an SQS event. The response lists the messages that must be delivered
    /// again.
    pub async fn event(&self, event: &Json) -> Json {
        let records = event.get("Records").and_then(Json::as_array);
        let mut failed = Vec::new();
        for record in records.into_iter().flatten() {
            let body = record.get("body").and_then(Json::as_str).unwrap_or_default();
            let body: Json = serde_json::from_str(body).unwrap_or_default();
            // Events of other kinds, and of e-mails that this pipeline did not send.
            let Some(Published { event, attempt, detail }) = parse(&body) else { continue };
            match self.events.record(event, &attempt, &detail).await {
                Ok(()) if event == MailEvent::Sent => {}
                Ok(()) => {
                    let fields = [
                        ("event", event.as_str()),
                        ("effect", &attempt.key),
                        ("provider_id", &attempt.provider_id),
                        ("detail", &detail),
                    ];
                    log::log_line("warn", "an e-mail was not delivered as expected", &fields);
                }
                Err(error) => {
                    let fields = [("reason", error.message())];
                    log::log_line("warn", "could not record an event of an e-mail", &fields);
                    failed.push(json!({ "itemIdentifier": record.get("messageId") }));
                }
            }
        }
        json!({ "batchItemFailures": failed })
    }
}

/// Parses an event of SES. Returns `None` for other kinds of events, and for e-mails without the
/// tags of an attempt.
fn parse(body: &Json) -> Option<Published> {
    let text = |pointer: &str| body.pointer(pointer).and_then(Json::as_str);
    let event = match text("/eventType")? {
        "Send" => MailEvent::Sent,
        "Bounce" => MailEvent::Bounced,
        "Complaint" => MailEvent::Complained,
        "Reject" => MailEvent::Rejected,
        _ => return None,
    };
    let attempt = MailAttempt {
        key: text("/mail/tags/oms-key/0")?.to_owned(),
        attempt: text("/mail/tags/oms-attempt/0")?.to_owned(),
        provider_id: text("/mail/messageId")?.to_owned(),
    };
    let details = match event {
        MailEvent::Sent => [None, None],
        MailEvent::Bounced => [text("/bounce/bounceType"), text("/bounce/bounceSubType")],
        MailEvent::Complained => {
            [text("/complaint/complaintFeedbackType"), text("/complaint/complaintSubType")]
        }
        MailEvent::Rejected => [text("/reject/reason"), None],
    };
    let detail = details.into_iter().flatten().collect::<Vec<_>>().join(", ");
    Some(Published { event, attempt, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an event with the members of the examples in the documentation of SES, "Examples of
    /// event data that Amazon SES publishes to Amazon SNS".
    fn published(kind: &str, member: &str, content: Json) -> Json {
        json!({
            "eventType": kind,
            "mail": {
                "timestamp": "2017-08-05T00:40:02.012Z",
                "source": "Sender Name <sender@example.com>",
                "messageId": "EXAMPLE7c191be45-e9aedb9a-02f9-4d12-a87d-dd0099a07f8a-000000",
                "destination": ["recipient@example.com"],
                "tags": {
                    "ses:configuration-set": ["ConfigSet"],
                    "oms-key": ["0123"],
                    "oms-attempt": ["abcd"],
                },
            },
            member: content,
        })
    }

    #[test]
    fn an_event_names_its_attempt_and_no_address() {
        let bounce = json!({
            "feedbackId": "01000157c44f053b-61b59c11-9236-11e6-8f96-7be8aexample-000000",
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{
                "emailAddress": "recipient@example.com", "action": "failed", "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 user unknown",
            }],
        });
        let parsed = parse(&published("Bounce", "bounce", bounce)).unwrap();
        assert_eq!(
            (parsed.event, parsed.detail.as_str()),
            (MailEvent::Bounced, "Permanent, General")
        );
        assert_eq!(
            (parsed.attempt.key.as_str(), parsed.attempt.attempt.as_str()),
            ("0123", "abcd")
        );
        let complaint = json!({ "complaintFeedbackType": "abuse", "complaintSubType": null });
        let parsed = parse(&published("Complaint", "complaint", complaint)).unwrap();
        assert_eq!((parsed.event, parsed.detail.as_str()), (MailEvent::Complained, "abuse"));
        let parsed = parse(&published("Send", "send", json!({}))).unwrap();
        assert_eq!((parsed.event, parsed.detail.as_str()), (MailEvent::Sent, ""));
        let reject = json!({ "reason": "Bad content" });
        let parsed = parse(&published("Reject", "reject", reject)).unwrap();
        assert_eq!((parsed.event, parsed.detail.as_str()), (MailEvent::Rejected, "Bad content"));
    }

    #[test]
    fn other_events_and_other_e_mails_are_ignored() {
        assert_eq!(parse(&published("Open", "open", json!({}))), None);
        let mut other = published("Send", "send", json!({}));
        other["mail"]["tags"] = json!({ "ses:configuration-set": ["ConfigSet"] });
        assert_eq!(parse(&other), None);
        assert_eq!(parse(&Json::Null), None);
    }
}

//! Queues on SQS.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use oms_core::effects::{Io, Queue, StepError, cause};

use crate::failure::classify;
use crate::session::Session;

/// How long an examined message is invisible to other consumers, in seconds. The whole queue should
/// be examined within this time.
const VISIBILITY_SECONDS: i32 = 60;
/// How long SQS waits for messages before it reports an empty queue, in seconds.
const WAIT_SECONDS: i32 = 2;

/// A queue on SQS.
pub struct SqsQueue {
    client: Client,
    queue: String,
}

impl SqsQueue {
    /// Returns the queues with these URLs, by name.
    pub fn all(
        session: &Session,
        urls: BTreeMap<String, String>,
    ) -> BTreeMap<String, Arc<dyn Queue>> {
        let queue = |url| -> Arc<dyn Queue> { Arc::new(Self::new(session, url)) };
        urls.into_iter().map(|(name, url)| (name, queue(url))).collect()
    }

    /// Returns the queue with this URL.
    pub fn new(session: &Session, queue: String) -> Self {
        Self { client: Client::new(&session.0), queue }
    }

    /// Examines the whole queue, and deletes the messages for which `matches` returns true.
    ///
    /// # Errors
    /// Returns an error if SQS fails. Messages that were already deleted stay deleted.
    pub async fn delete_matching(&self, matches: impl Fn(&str) -> bool) -> Result<u64, StepError> {
        let mut taken = 0;
        let mut left = BTreeMap::new();
        // If a message arrives a second time, the whole queue has been examined.
        let mut again = false;
        while !again {
            let received = self
                .client
                .receive_message()
                .queue_url(&self.queue)
                .max_number_of_messages(10)
                .visibility_timeout(VISIBILITY_SECONDS)
                // Without a wait, SQS asks only some of its servers, and may return no messages.
                .wait_time_seconds(WAIT_SECONDS)
                .send()
                .await
                .map_err(|error| classify("SQS", error))?;
            let messages = received.messages.unwrap_or_default();
            if messages.is_empty() {
                break;
            }
            for message in messages {
                let (Some(id), Some(receipt)) = (message.message_id, message.receipt_handle) else {
                    continue;
                };
                if !matches(&message.body.unwrap_or_default()) {
                    again |= left.insert(id, receipt).is_some();
                    continue;
                }
                let delete = self.client.delete_message().queue_url(&self.queue);
                let deleted = delete.receipt_handle(receipt).send().await;
                deleted.map_err(|error| classify("SQS", error))?;
                taken += 1;
            }
        }
        // Makes the other messages visible again. An error is ignored, because they become visible
        // after the timeout anyway.
        for receipt in left.into_values() {
            let seen = self.client.change_message_visibility().queue_url(&self.queue);
            let _seen = seen.receipt_handle(receipt).visibility_timeout(0).send().await;
        }
        Ok(taken)
    }
}

impl Queue for SqsQueue {
    /// Sends the cause as the attribute `cause`.
    fn send<'a>(&'a self, body: String, why: Option<&'a str>) -> Io<'a, ()> {
        Box::pin(async move {
            let mut message = self.client.send_message().queue_url(&self.queue).message_body(body);
            if let Some(why) = why {
                let attribute = MessageAttributeValue::builder().data_type("String");
                let attribute = attribute.string_value(why).build().map_err(|error| {
                    StepError::permanent(cause::OUT_OF_RANGE, "the cause is not a valid attribute")
                        .caused_by(error)
                })?;
                message = message.message_attributes("cause", attribute);
            }
            message.send().await.map(drop).map_err(|error| classify("SQS", error))
        })
    }
}

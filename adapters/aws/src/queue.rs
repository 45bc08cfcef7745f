//! Queues on SQS.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    ChangeMessageVisibilityBatchRequestEntry, Message, MessageAttributeValue,
};
use oms_core::effects::{Io, Queue, ReceivedMessage, StepError, cause};

use crate::failure::classify;
use crate::session::Session;

/// How long an examined message is invisible to other consumers, in seconds. The whole queue should
/// be examined within this time.
const VISIBILITY_SECONDS: i32 = 60;
/// How long SQS waits for messages before it reports an empty queue, in seconds.
const WAIT_SECONDS: i32 = 2;

/// Maximum visibility timeout in seconds. SQS allows 12 hours from the receipt of the message
/// ("Amazon SQS visibility timeout"), of which an invocation uses up to 15 minutes.
const VISIBILITY_MAX: u64 = 11 * 3_600;
/// Maximum number of entries in a batch request.
const BATCH_MAX: usize = 10;

/// Queues by the names of their handlers.
type Queues = BTreeMap<String, Arc<dyn Queue>>;

/// A text that does not describe the queues of handlers.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("expected the URL of a queue, and `handler=queue,dead-letters` for each handler")]
pub struct InvalidQueues;

/// A queue on SQS.
pub struct SqsQueue {
    client: Client,
    queue: String,
}

impl SqsQueue {
    /// Returns the order queues and the dead-letter queues of handlers, by handler. The text contains
    /// the URL of one queue, and the handlers, separated by spaces: `handler=queue,dead-letters`.
    /// All queues are in the same account and region, so their URLs differ only in the name.
    ///
    /// # Errors
    /// Returns an error if the text has another form.
    pub fn of_handlers(session: &Session, text: &str) -> Result<[Queues; 2], InvalidQueues> {
        let urls = urls_of_handlers(text).ok_or(InvalidQueues)?;
        let queue = |url| -> Arc<dyn Queue> { Arc::new(Self::new(session, url)) };
        Ok(urls.map(|urls| urls.into_iter().map(|(name, url)| (name, queue(url))).collect()))
    }

    /// Returns the queue with this URL.
    pub fn new(session: &Session, queue: String) -> Self {
        Self { client: Client::new(&session.0), queue }
    }
}

/// Returns the URLs of the order queues and of the dead-letter queues.
fn urls_of_handlers(text: &str) -> Option<[BTreeMap<String, String>; 2]> {
    let mut words = text.split(' ');
    let (place, _) = words.next()?.rsplit_once('/')?;
    let mut found = [BTreeMap::new(), BTreeMap::new()];
    for word in words {
        let (handler, queues) = word.split_once('=')?;
        let (orders, letters) = queues.split_once(',')?;
        for (urls, queue) in found.iter_mut().zip([orders, letters]) {
            urls.insert(handler.to_owned(), format!("{place}/{queue}"));
        }
    }
    Some(found)
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

    fn receive(&self) -> Io<'_, Vec<ReceivedMessage>> {
        Box::pin(async move {
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
            let messages = received.messages.unwrap_or_default().into_iter();
            let message = |message: Message| {
                let (id, receipt) = (message.message_id?, message.receipt_handle?);
                Some(ReceivedMessage { id, receipt, body: message.body.unwrap_or_default() })
            };
            Ok(messages.filter_map(message).collect())
        })
    }

    fn delete<'a>(&'a self, receipt: &'a str) -> Io<'a, ()> {
        Box::pin(async move {
            let delete = self.client.delete_message().queue_url(&self.queue);
            let deleted = delete.receipt_handle(receipt).send().await;
            deleted.map(drop).map_err(|error| classify("SQS", error))
        })
    }

    /// Changes the visibility timeouts of the messages. A message whose time is further away than
    /// the maximum timeout is delivered at the maximum.
    fn deliver_after<'a>(&'a self, messages: &'a [(String, Duration)]) -> Io<'a, ()> {
        Box::pin(async move {
            for part in messages.chunks(BATCH_MAX) {
                let mut batch =
                    self.client.change_message_visibility_batch().queue_url(&self.queue);
                for (at, (receipt, wait)) in part.iter().enumerate() {
                    // Rounded up, because a message that returns too early has to wait again.
                    let seconds = wait.as_millis().div_ceil(1_000).min(VISIBILITY_MAX.into());
                    let entry = ChangeMessageVisibilityBatchRequestEntry::builder()
                        .id(at.to_string())
                        .receipt_handle(receipt)
                        .visibility_timeout(i32::try_from(seconds).unwrap_or(i32::MAX))
                        .build()
                        .map_err(|error| {
                            let message = "the message has no receipt handle";
                            StepError::permanent(cause::OUT_OF_RANGE, message).caused_by(error)
                        })?;
                    batch = batch.entries(entry);
                }
                let answer = batch.send().await.map_err(|error| classify("SQS", error))?;
                if let Some(failed) = answer.failed.first() {
                    let message =
                        format!("SQS did not change a visibility timeout: {}", failed.code);
                    return Err(StepError::transient(cause::UNAVAILABLE, message));
                }
            }
            Ok(())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_url_of_one_queue_gives_the_urls_of_all() {
        let here = "https://sqs.eu-central-1.amazonaws.com/123456789012";
        let text = format!("{here}/s-BillQueue-1 bill=s-BillQueue-1,s-BillDead-2 mail=q,d");
        let [orders, letters] = urls_of_handlers(&text).unwrap();
        assert_eq!(orders["bill"], format!("{here}/s-BillQueue-1"));
        assert_eq!(letters["bill"], format!("{here}/s-BillDead-2"));
        assert_eq!((orders.len(), letters["mail"].as_str()), (2, &*format!("{here}/d")));
        for invalid in ["", "no-url bill=q,d", "https://x/q bill", "https://x/q bill=q"] {
            assert!(urls_of_handlers(invalid).is_none(), "{invalid}");
        }
    }
}

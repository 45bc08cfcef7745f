//! Queues of messages for handlers.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::StepError;
use super::ports::Io;

/// A queue of messages: the orders of a handler, or its dead letters.
pub trait Queue: Send + Sync {
    /// Sends a message. `cause` is given for dead letters.
    fn send<'a>(&'a self, body: String, cause: Option<&'a str>) -> Io<'a, ()>;

    /// Receives some messages; none if the queue is empty. They are invisible to other consumers
    /// for a minute.
    fn receive(&self) -> Io<'_, Vec<ReceivedMessage>>;

    /// Deletes a message that was received.
    fn delete<'a>(&'a self, receipt: &'a str) -> Io<'a, ()>;

    /// Delivers messages that were received again after the given times. Each is identified by its
    /// receipt handle.
    fn deliver_after<'a>(&'a self, messages: &'a [(String, Duration)]) -> Io<'a, ()>;
}

/// A message that was received from a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedMessage {
    /// The id of the message.
    pub id: String,
    /// The receipt handle, which identifies this delivery.
    pub receipt: String,
    /// The text.
    pub body: String,
}

/// Examines all messages of a queue while `goes_on` returns `true`, and deletes those for which
/// `is_done` does. The other messages become visible again.
///
/// # Errors
/// Returns an error if the queue or `is_done` fails. Messages that were already deleted stay
/// deleted.
pub async fn examine(
    queue: &dyn Queue,
    goes_on: impl Fn() -> bool,
    mut is_done: impl AsyncFnMut(&str) -> Result<bool, StepError>,
) -> Result<(), StepError> {
    let mut left = BTreeMap::new();
    // If a message arrives a second time, the whole queue has been examined.
    let mut again = false;
    while !again && goes_on() {
        let messages = queue.receive().await?;
        if messages.is_empty() {
            break;
        }
        for ReceivedMessage { id, receipt, body } in messages {
            if is_done(&body).await? {
                queue.delete(&receipt).await?;
            } else {
                again |= left.insert(id, (receipt, Duration::ZERO)).is_some();
            }
        }
    }
    // An error is ignored, because the messages become visible after a minute anyway. After that,
    // their receipts are no longer valid.
    let left: Vec<(String, Duration)> = left.into_values().collect();
    let _visible = queue.deliver_after(&left).await;
    Ok(())
}

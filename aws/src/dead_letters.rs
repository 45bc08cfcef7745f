//! Dead letters in a queue of SQS.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use oms_engine::effects::{DeadLetters, Io, StepError, cause};

use crate::failure::sorted;
use crate::session::Session;

/// A queue of dead letters.
pub struct SqsDeadLetters {
    client: Client,
    queue: String,
}

impl SqsDeadLetters {
    /// Gets ready to put messages into the queue with this URL.
    pub fn new(session: &Session, queue: String) -> Self {
        Self { client: Client::new(&session.0), queue }
    }
}

impl DeadLetters for SqsDeadLetters {
    fn send<'a>(&'a self, body: String, cause_name: &'a str) -> Io<'a, ()> {
        Box::pin(async move {
            let attribute = MessageAttributeValue::builder()
                .data_type("String")
                .string_value(cause_name)
                .build()
                .map_err(|error| {
                    StepError::permanent(cause::OUT_OF_RANGE, "the cause has no name")
                        .caused_by(error)
                })?;
            let sent = self
                .client
                .send_message()
                .queue_url(&self.queue)
                .message_body(body)
                .message_attributes("cause", attribute)
                .send()
                .await;
            sent.map(drop).map_err(|error| sorted("SQS", error))
        })
    }
}

//! Queues of SQS.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::MessageAttributeValue;
use oms_engine::effects::{Io, Queue, StepError, cause};

use crate::failure::sorted;
use crate::session::Session;

/// A queue of SQS.
pub struct SqsQueue {
    client: Client,
    queue: String,
}

impl SqsQueue {
    /// Gets ready to put messages into queues, by their names.
    pub fn all(
        session: &Session,
        urls: BTreeMap<String, String>,
    ) -> BTreeMap<String, Arc<dyn Queue>> {
        let queue = |url| -> Arc<dyn Queue> { Arc::new(Self::new(session, url)) };
        urls.into_iter().map(|(name, url)| (name, queue(url))).collect()
    }

    /// Gets ready to put messages into the queue with this URL.
    pub fn new(session: &Session, queue: String) -> Self {
        Self { client: Client::new(&session.0), queue }
    }
}

impl Queue for SqsQueue {
    /// The cause goes along as an attribute.
    fn send<'a>(&'a self, body: String, why: Option<&'a str>) -> Io<'a, ()> {
        Box::pin(async move {
            let mut message = self.client.send_message().queue_url(&self.queue).message_body(body);
            if let Some(why) = why {
                let attribute = MessageAttributeValue::builder().data_type("String");
                let attribute = attribute.string_value(why).build().map_err(|error| {
                    StepError::permanent(cause::OUT_OF_RANGE, "the cause has no name")
                        .caused_by(error)
                })?;
                message = message.message_attributes("cause", attribute);
            }
            message.send().await.map(drop).map_err(|error| sorted("SQS", error))
        })
    }
}

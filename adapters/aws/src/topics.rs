//! Topics on SNS.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_sns::Client;
use oms_core::effects::{Call, Io, Message, StepError, Topic, cause};
use serde_json::json;

use crate::failure::classify;
use crate::session::Session;

/// Topics on SNS.
pub struct SnsTopics {
    client: Client,
    /// ARNs of the topics, by their names in the pipeline.
    topics: BTreeMap<String, String>,
    /// Names of the topics to which a bucket publishes its own notifications.
    bucket_topics: BTreeSet<String>,
}

impl SnsTopics {
    /// Returns the topics with these ARNs.
    pub fn new(session: &Session, topics: BTreeMap<String, String>) -> Self {
        Self { client: Client::new(&session.0), topics, bucket_topics: BTreeSet::new() }
    }

    /// Publishes nothing to these topics, because a bucket already announces each stored order
    /// there. The subscribers could not read a second message in another form.
    #[must_use]
    pub fn announced_by_bucket(self, bucket_topics: BTreeSet<String>) -> Self {
        Self { bucket_topics, ..self }
    }
}

impl Topic for SnsTopics {
    /// Publishes a message that identifies the order and does not contain it.
    fn publish<'a>(&'a self, call: &'a Call, message: Message) -> Io<'a, ()> {
        Box::pin(async move {
            if self.bucket_topics.contains(&*message.topic) {
                return Ok(());
            }
            let Some(arn) = self.topics.get(&*message.topic) else {
                let text = format!("the ARN of the topic `{}` is missing", message.topic);
                return Err(StepError::transient(cause::ENVIRONMENT, text));
            };
            let run = &call.run;
            let text = json!({ "pipeline": &*run.pipeline, "key": &*run.key, "run": &*run.id });
            let sent = self.client.publish().topic_arn(arn).message(text.to_string()).send().await;
            sent.map(drop).map_err(|error| classify("SNS", error))
        })
    }
}

"""Dead-letter queues for SNS subscriptions that deliver to SQS queues.

Stock: the RedrivePolicy of a subscription is stored but has no effect. AWS: a message that the queue rejects (because the queue
was deleted or its policy denies it) goes to the subscription's dead-letter queue at once. These are client errors, which SNS does
not retry.
"""

import json


def apply(_options) -> None:
    from ministack.services import sns, sqs

    stock = sns._deliver_to_sqs

    def undeliverable(endpoint: str, topic_arn: str) -> bool:
        if sqs._queue_by_arn(endpoint) is None:
            return True
        account = topic_arn.split(":")[4]
        return not sqs.queue_policy_allows(endpoint, "sns.amazonaws.com", topic_arn, account)

    def deliver(endpoint, envelope, raw, raw_message, *args, topic_arn="", **kwargs):
        if topic_arn and undeliverable(endpoint, topic_arn):
            topic = sns._topic_by_arn_any_scope(topic_arn) or {"subscriptions": []}
            for subscription in topic["subscriptions"]:
                policy = subscription.get("attributes", {}).get("RedrivePolicy")
                if subscription.get("endpoint") == endpoint and policy:
                    policy = json.loads(policy) if isinstance(policy, str) else policy
                    endpoint = policy["deadLetterTargetArn"]
                    break
        return stock(endpoint, envelope, raw, raw_message, *args, topic_arn=topic_arn, **kwargs)

    sns._deliver_to_sqs = deliver

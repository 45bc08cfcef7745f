"""The dead-letter queue of an SNS subscription to a queue.

Stock: the RedrivePolicy of a subscription is stored and nothing is delivered. Real SNS: a message that the queue does not
take (it is gone, or its policy refuses) goes to the subscription's dead-letter queue at once: those are client errors, which
SNS does not retry.
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

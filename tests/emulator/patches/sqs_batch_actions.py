"""The batch operations of SQS need the permission of the single operation.

Stock: requires `sqs:ChangeMessageVisibilityBatch`, which is no action of IAM. AWS: requires `sqs:ChangeMessageVisibility` ("Actions,
resources, and condition keys for Amazon SQS").
"""


def apply(_options) -> None:
    from ministack.core import iam_actions

    stock = iam_actions.extract_iam_action

    def extract(service, *request):
        action = stock(service, *request)
        return action.removesuffix("Batch") if action and service == "sqs" else action

    iam_actions.extract_iam_action = extract

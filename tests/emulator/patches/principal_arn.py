"""The condition key `aws:PrincipalArn` of a session.

Stock: the ARN of the session. AWS: the ARN of its role ("AWS global condition context keys").
"""

import re


def apply(_options) -> None:
    from ministack.core import iam_evaluator as iam

    stock = iam._resolve_condition_key

    def resolve(key, context):
        value = stock(key, context)
        if key.lower() != "aws:principalarn":
            return value
        return re.sub(r"^arn:(aws[a-z-]*):sts::(\d+):assumed-role/([^/]+)/.*$", r"arn:\1:iam::\2:role/\3", value or "")

    iam._resolve_condition_key = resolve

"""The policy of a bucket also applies to the root user of the account.

Stock, with `--enforce-iam`: the root user, which the tests use, may do everything. AWS: an explicit deny in the bucket's policy
also applies to the root user.
"""


def apply(_options) -> None:
    from ministack.core import iam_evaluator as iam
    from ministack.core.responses import get_account_id

    stock = iam.enforce

    def enforce(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        result = stock(access_key_id, iam_action, service, region, resource_arn=resource_arn, service_context=service_context)
        policy = iam._resource_policy(service, resource_arn) if result is None and service == "s3" else None
        if policy is None:
            return result
        account = get_account_id()
        principal = iam.resolve_principal(access_key_id or "", account)
        if getattr(principal, "policies", True) is not None:
            return result  # not root: its policies and the bucket's are already evaluated
        context = iam.EvalContext(
            principal_arn=principal.arn, principal_type=principal.type, principal_account=principal.account,
            action=iam_action, resource_arn=resource_arn, region=region,
            service_context={key.lower(): value for key, value in (service_context or {}).items()},
            principal_keys=principal.keys)
        if iam.evaluate_resource_policy(policy[0], context).decision != "Deny":
            return result
        return iam.EvalResult("Deny", principal_arn=principal.arn, resource_policy_arn=resource_arn)

    iam.enforce = enforce

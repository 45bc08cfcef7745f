"""Patches for MiniStack 1.5.33: features of AWS that it lacks, and records of calls and mails for the tests.

Each module has `apply(options)` and describes the change that it makes.
"""

from dataclasses import dataclass, field

from . import (
    access_log,
    api_deployments,
    auto_pause,
    bucket_lifecycle,
    bucket_policy_for_all,
    budget,
    call_log,
    conditional_resources,
    conditional_write_policy,
    dead_subscription,
    dkim_records,
    function_environment,
    function_identity,
    function_logs_metrics,
    join_in_conditions,
    mapping_numbers,
    master_secret,
    permission_id,
    principal_arn,
    rest_to_s3,
    secret_reference,
    ses_authorization,
    ses_messages,
    speed,
    sqs_batch_actions,
    transport,
)


@dataclass
class Options:
    log: str | None = None
    function_env: dict[str, str] = field(default_factory=dict)
    enforce_iam: bool = False
    ses_sandbox: bool = False


def apply(options: Options) -> None:
    for patch in (
        speed,
        transport,
        function_environment,
        function_identity,
        function_logs_metrics,
        conditional_resources,
        conditional_write_policy,
        dead_subscription,
        auto_pause,
        bucket_lifecycle,
        bucket_policy_for_all,
        budget,
        dkim_records,
        join_in_conditions,
        mapping_numbers,
        master_secret,
        permission_id,
        principal_arn,
        rest_to_s3,
        access_log,
        api_deployments,  # after rest_to_s3, whose import of a document it uses
        secret_reference,
        ses_authorization,
        ses_messages,
        sqs_batch_actions,
        call_log,  # last: it logs the answers of the others
    ):
        patch.apply(options)

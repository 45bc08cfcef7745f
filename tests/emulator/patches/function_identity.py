"""Functions call AWS with credentials of their own roles.

Stock without AUTH: all functions use the same account-wide key, so the caller is unknown. AWS: a session of the
function's role with the name of the function. `call_log` reads the caller from it.
"""

import hashlib
import os

PREFIX = "ASIA"
names: dict[str, str] = {}  # access key -> function name


def apply(_options) -> None:
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc, sts

    def credentials(config: dict) -> dict[str, str]:
        account = os.environ["MINISTACK_ACCOUNT_ID"]
        name, role = config.get("FunctionName", "unknown"), config.get("Role", "")
        digest = hashlib.sha256(f"{config.get('FunctionArn', '')}:{role}".encode()).hexdigest()
        key = f"{PREFIX}{digest[:16].upper()}"
        secret, token = digest[16:56], digest[8:]
        role_name = role.rsplit("/", 1)[-1]
        names[key] = name
        sts.register_session(key, {
            "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{name[:64]}",
            "UserId": f"{role_name}:{name[:64]}",
            "SecretAccessKey": secret,
            "SessionToken": token,
        })
        return {"AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token}

    lambda_runtime.execution_credentials = credentials
    lambda_svc.execution_credentials = credentials

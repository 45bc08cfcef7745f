"""Logs every call of the AWS API as a line of JSON, so that a test can compare the calls with the generated policies.

    {"at": 1764000000.1, "function": "stack-Intake-1a2b", "caller": "arn:aws:sts::…:assumed-role/…", "service": "s3",
     "action": "s3:PutObject", "resource": "arn:aws:s3:::bucket/orders/a.json", "needs": [["s3:PutObject", "arn:…"]],
     "conditions": {"s3:if-none-match": "*"}, "method": "PUT", "path": "/bucket/orders/a.json", "status": 200}

`function` is null and `caller` ends in `:root` for calls from outside. If a call from outside uses the credentials of AssumeRole,
`caller` contains `:assumed-role/<role>/<session>`, and MiniStack applies the policies of the role. For the calls that API Gateway sends to S3, `function` is
null and `caller` ends in `/apigateway`. `needs` lists every pair of action and resource that IAM must allow for the call. Other
actions of AWS itself (a notification, the poller of an event source mapping, the changes by CloudFormation) do not use the API
and are not logged.
"""

import json
import os
import threading
import time

from . import function_identity
from .ses_authorization import SEND, send_checks

OURS = ("/_ministack/", "/_localstack/", "/health")


class Log:
    def __init__(self, path: str):
        self.file = open(path, "a", encoding="utf-8")
        self.lock = threading.Lock()

    def write(self, entry: dict) -> None:
        line = json.dumps(entry, ensure_ascii=False)
        with self.lock:
            self.file.write(line + "\n")
            self.file.flush()


def service_of(app, method: str, path: str, headers: dict, body: bytes, query: dict) -> str:
    if path.startswith("/v2/email"):
        return "ses"
    if path in app._RDS_DATA_PATHS:
        return "rds-data"
    if app._parse_execute_api_url(headers.get("host", ""), path):
        return "execute-api"
    return app.detect_service(method, path, headers, app._routing_params(method, path, headers, body, query))


def described(app, method: str, path: str, headers: dict, body: bytes, query: dict) -> dict:
    """Returns service, action, resource, needs and conditions of a request."""
    from ministack.core import iam_actions
    from ministack.core.responses import get_account_id

    service = service_of(app, method, path, headers, body, query)
    account, region = get_account_id(), app.extract_region(headers, query)
    if service == "execute-api":
        action, resource = "execute-api:Invoke", path
    else:
        parameters = app._routing_params(method, path, headers, body, query)
        action = iam_actions.extract_iam_action(service, method, path, headers, body, parameters)
        resource = iam_actions.extract_resource_arn(service, method, path, headers, body, parameters, region, account)
    needs, conditions = [[action, resource]] if action else [], {}
    if service == "s3" and action:
        needs += [[a, r] for a, r in iam_actions.s3_additional_checks(method, path, headers, body, query)]
        conditions = iam_actions.s3_service_context(action, query, path, headers)
    if service == "ses" and method == "POST" and path == SEND:
        needs = [list(pair) for pair in send_checks(body, region, account)]
        resource = needs[0][1] if needs else resource
    return {"service": service, "action": action, "resource": resource, "needs": needs, "conditions": conditions}


def caller_of(app, headers: dict, query: dict) -> tuple[str | None, str]:
    from ministack.services import sts

    key = app.extract_access_key_id(headers, query) or ""
    session = sts._sessions.get(key)
    if session:
        return function_identity.names.get(key), session["Arn"]
    return None, f"arn:aws:iam::{os.environ['MINISTACK_ACCOUNT_ID']}:root"


def apply(options) -> None:
    if not options.log:
        return
    from ministack import app

    log = Log(options.log)
    special, general = app._handle_special_data_plane_request, app._dispatch_service_request

    def record(at, method, path, headers, body, query, status):
        if path.startswith(OURS):
            return
        try:
            what = described(app, method, path, headers, body, query)
        except Exception as error:  # log calls that cannot be described, too
            what = {"service": None, "action": None, "resource": None, "needs": [], "conditions": {}, "error": repr(error)}
        function, caller = caller_of(app, headers, query)
        log.write({"at": at, "function": function, "caller": caller, **what, "method": method, "path": path, "status": status})

    async def special_request(method, path, headers, body, query, *args, **kwargs):
        at = time.time()
        response = await special(method, path, headers, body, query, *args, **kwargs)
        if response is not None:
            record(at, method, path, headers, body, query, response[0])
        return response

    async def general_request(method, path, headers, body, query, *args, **kwargs):
        at = time.time()
        response = await general(method, path, headers, body, query, *args, **kwargs)
        record(at, method, path, headers, body, query, response[0])
        return response

    app._handle_special_data_plane_request = special_request
    app._dispatch_service_request = general_request

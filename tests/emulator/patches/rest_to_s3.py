"""A REST API that stores requests directly: an integration with S3 from an OpenAPI document.

Stock: the import of a document ignores models, validators, gateway responses, and everything of an integration except its URI; an
`s3:path/...` URI is treated as a function. AWS: API Gateway validates the body with the model of its content type, calls S3 with the
credentials of the integration's role, and selects the response by S3's status.
"""

import asyncio
import hashlib
import os
import urllib.error
import urllib.parse
import urllib.request

PATTERN = "selectionPattern"
SESSION = "apigateway"


def apply(_options) -> None:
    from ministack.services import apigateway_v1 as gateway
    from ministack.services import sts

    stock_import, stock_operation, stock_invoke = gateway._import_rest_api, gateway._import_operation, gateway._invoke_lambda_custom_v1
    validators: dict[tuple[str, str], str] = {}
    parts: dict[str, dict] = {}

    def import_operation(api_id, resource_id, http_method, operation, *rest):
        stock_operation(api_id, resource_id, http_method, operation, *rest)
        method = gateway._resources[api_id][resource_id]["resourceMethods"][http_method]
        content = ((operation or {}).get("requestBody") or {}).get("content") or {}
        models = {kind: part["schema"]["$ref"].rsplit("/", 1)[-1] for kind, part in content.items() if "$ref" in (part.get("schema") or {})}
        method["requestModels"] = models
        name = (operation or {}).get("x-amazon-apigateway-request-validator")
        if name:
            parts.setdefault(api_id, {})[(resource_id, http_method)] = name
        integration = (operation or {}).get("x-amazon-apigateway-integration") or {}
        known = method.get("methodIntegration")
        if not known:
            return
        for key in ("credentials", "requestParameters", "requestTemplates"):
            if integration.get(key):
                known[key] = integration[key]
        if integration.get("passthroughBehavior"):
            known["passthroughBehavior"] = integration["passthroughBehavior"].upper()
        for pattern, answer in (integration.get("responses") or {}).items():
            pattern = "" if pattern == "default" else pattern
            gateway._put_integration_response(api_id, resource_id, http_method, str(answer["statusCode"]), {**answer, PATTERN: pattern})

    def import_rest_api(spec, base_data=None):
        api_id = stock_import(spec, base_data)
        for name, schema in ((spec.get("components") or {}).get("schemas") or {}).items():
            gateway._create_model(api_id, {"name": name, "schema": schema})
        for name, validator in (spec.get("x-amazon-apigateway-request-validators") or {}).items():
            _status, _headers, body = gateway._create_request_validator(api_id, {"name": name, **validator})
            validators[(api_id, name)] = gateway.json.loads(body)["id"]
        for (resource_id, http_method), name in parts.get(api_id, {}).items():
            gateway._resources[api_id][resource_id]["resourceMethods"][http_method]["requestValidatorId"] = validators[(api_id, name)]
        for kind, answer in (spec.get("x-amazon-apigateway-gateway-responses") or {}).items():
            gateway._put_gateway_response(api_id, kind, answer)
        return api_id

    def session(role: str) -> tuple[str, str, str]:
        """Returns credentials of a role, as API Gateway gets them."""
        digest = hashlib.sha256(f"{SESSION}:{role}".encode()).hexdigest()
        key, secret, token = f"ASIA{digest[:16].upper()}", digest[16:56], digest[8:]
        name = role.rsplit("/", 1)[-1]
        sts.register_session(key, {
            "Arn": f"arn:aws:sts::{os.environ['MINISTACK_ACCOUNT_ID']}:assumed-role/{name}/{SESSION}",
            "UserId": f"{name}:{SESSION}",
            "SecretAccessKey": secret,
            "SessionToken": token,
        })
        return key, secret, token

    def call(path: str, region: str, role: str, headers: dict, body: bytes) -> tuple[int, str]:
        from botocore.auth import S3SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.credentials import Credentials

        request = AWSRequest("PUT", f"{os.environ['AWS_ENDPOINT_URL']}/{path}", data=body, headers=headers)
        S3SigV4Auth(Credentials(*session(role)), "s3", region).add_auth(request)
        prepared = request.prepare()
        sent = urllib.request.Request(prepared.url, data=body, method="PUT", headers=dict(prepared.headers.items()))
        try:
            with urllib.request.urlopen(sent, timeout=29) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode("utf-8", "replace")

    async def invoke(integration, api_id, stage_name, stage, resource, request_path, method, headers, body, query_params, path_params, **more):
        region, service, verb, rest = gateway._parse_service_integration_uri(integration.get("uri", "")) or (None, None, None, "")
        if (service, verb) != ("s3", "path"):
            return await stock_invoke(
                integration, api_id, stage_name, stage, resource, request_path, method, headers, body, query_params, path_params, **more)
        wanted = {}
        for target, source in (integration.get("requestParameters") or {}).items():
            kind, name = target.removeprefix("integration.request.").split(".", 1)
            if source.startswith("'"):
                value = source.strip("'")
            else:
                value = (path_params or {}).get(source.removeprefix("method.request.path."), "")
            if kind == "path":
                rest = rest.replace(f"{{{name}}}", urllib.parse.quote(value, safe=""))
            else:
                wanted[name] = value
        text = body.decode("utf-8", "replace")
        template = (integration.get("requestTemplates") or {}).get("application/json")
        if template is not None:
            text = gateway._render_request_template_v1(template, text, dict(path_params or {}), {})
        status, said = await asyncio.to_thread(call, rest, region, integration.get("credentials") or "", wanted, text.encode())
        return gateway._service_integration_response(integration, status, said, "application/json", dict(path_params or {}))

    gateway._import_operation = import_operation
    gateway._import_rest_api = import_rest_api
    gateway._invoke_lambda_custom_v1 = invoke

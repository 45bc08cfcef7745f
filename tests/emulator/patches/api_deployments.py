"""The update of a REST API from an OpenAPI document, and the deployments of its stages.

Stock: a changed document creates another API, and a stage serves the newest methods. AWS: the API keeps its id. With `Mode: overwrite`
the document replaces the methods of the API, and otherwise methods that the document no longer contains remain
(serverless-application-model#2047). A stage serves the methods as they were when its deployment was created, so a change needs another
deployment ("Updates to REST APIs that require redeployment"). Models and validators take effect at once here.
"""

import contextvars
import copy
import json

# The methods of each deployment.
deployed: dict[tuple[str, str], dict] = {}
# The methods that serve the current request.
served: contextvars.ContextVar = contextvars.ContextVar("served", default=None)


def merged(old: dict, new: dict) -> dict:
    """Returns the resources of a new document, and the methods of the old one that it does not contain."""
    new = copy.deepcopy(new)
    ids = {resource["path"]: key for key, resource in new.items()}
    for key, resource in sorted(old.items(), key=lambda item: len(item[1]["path"])):
        if resource["path"] in ids:
            methods = new[ids[resource["path"]]]["resourceMethods"]
            methods.update({name: method for name, method in resource["resourceMethods"].items() if name not in methods})
        else:
            parent = ids[resource["path"].rpartition("/")[0] or "/"]
            ids[resource["path"]], new[key] = key, {**resource, "parentId": parent}
    return new


def apply(_options) -> None:
    from ministack.services import apigateway_v1 as gateway
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::RestApi"]
    stock_update, stock_deployment = handlers["update"], gateway._create_deployment
    parts = (gateway._authorizers_v1, gateway._models, gateway._gateway_responses, gateway._documentation_parts, gateway._request_validators)

    def update(api_id, old, new, stack, logical_id=None):
        if new.get("Body") == old.get("Body"):
            return stock_update(api_id, old, new, stack, logical_id)
        other, _ = provisioners._apigw_rest_api_create(logical_id or api_id, new, stack)
        resources = gateway._resources[other]
        gateway._resources[api_id] = resources if new.get("Mode") == "overwrite" else merged(gateway._resources[api_id], resources)
        for part in parts:
            if other in part:
                part[api_id] = part[other]
        kept = {name: gateway._rest_apis[api_id][name] for name in ("id", "createdDate")}
        gateway._rest_apis[api_id] = {**gateway._rest_apis[other], **kept}
        gateway._delete_rest_api(other)
        return api_id, provisioners._apigw_rest_api_attrs(api_id)

    def create_deployment(api_id, data):
        answer = stock_deployment(api_id, data)
        if answer[0] == 201:
            deployed[(api_id, json.loads(answer[2])["id"])] = copy.deepcopy(gateway._resources[api_id])
        return answer

    def resources_of(api_id, stage):
        found = gateway._stages_v1.get(api_id, {}).get(stage) or {}
        return deployed.get((api_id, found.get("deploymentId")))

    def of_stage(stock):
        """Finds the method of a request among those of the stage's deployment."""
        def match(api_id, *request):
            resources, newest = served.get(), gateway._resources.get(api_id)
            if resources is None or newest is None:
                return stock(api_id, *request)
            gateway._resources[api_id] = resources
            try:
                return stock(api_id, *request)
            finally:
                gateway._resources[api_id] = newest
        return match

    stock_execute, stock_type = gateway._execute_in_scope, gateway.method_authorization_type

    async def execute(request, api_id, stage, *more):
        token = served.set(resources_of(api_id, stage))
        try:
            return await stock_execute(request, api_id, stage, *more)
        finally:
            served.reset(token)

    def authorization_type(api_id, stage, *request):
        scope = gateway.find_api_scope(api_id)
        if scope is None:
            return None
        with gateway.request_scope(*scope):
            token = served.set(resources_of(api_id, stage))
        try:
            return stock_type(api_id, stage, *request)
        finally:
            served.reset(token)

    handlers["update"] = update
    gateway._create_deployment = create_deployment
    gateway._execute_in_scope, gateway.method_authorization_type = execute, authorization_type
    for name in ("_match_resource_tree", "_match_greedy_fallback"):
        setattr(gateway, name, of_stage(getattr(gateway, name)))

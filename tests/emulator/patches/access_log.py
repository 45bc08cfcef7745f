"""The access log of a REST API's stage.

Stock: the property AccessLogSetting of an AWS::ApiGateway::Stage has no effect. AWS: GetStage shows it as `accessLogSettings`, and the
stage is rejected unless the account has a role with which API Gateway writes to CloudWatch Logs ("Set up CloudWatch logging for REST
APIs"). The same holds for a `LoggingLevel` other than OFF. No requests are logged here.
"""


def apply(_options) -> None:
    from ministack.services import apigateway_v1 as gateway
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::ApiGateway::Stage"]
    stock = dict(handlers)

    def check(properties: dict) -> None:
        levels = [settings.get("LoggingLevel") or "OFF" for settings in properties.get("MethodSettings") or []]
        wanted = properties.get("AccessLogSetting") or any(level != "OFF" for level in levels)
        if wanted and not (gateway._account_settings.get("settings") or {}).get("cloudwatchRoleArn"):
            raise ValueError("CloudWatch Logs role ARN must be set in account settings to enable logging")

    def set_log(made: tuple, properties: dict) -> tuple:
        setting = properties.get("AccessLogSetting") or {}
        stage = gateway._stages_v1[properties["RestApiId"]][made[0]]
        stage["accessLogSettings"] = {name: setting[key] for name, key in (("destinationArn", "DestinationArn"), ("format", "Format")) if key in setting}
        return made

    def create(logical_id, properties, stack):
        check(properties)
        return set_log(stock["create"](logical_id, properties, stack), properties)

    def update(physical_id, old, new, stack):
        check(new)
        return set_log(stock["update"](physical_id, old, new, stack), new)

    handlers.update(create=create, update=update)

"""`!Ref` of an AWS::SecretsManager::Secret.

Stock: the name of the secret. AWS: its ARN, which policies and the Data API need.
"""


def apply(_options) -> None:
    from ministack.services import secretsmanager
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::SecretsManager::Secret"]
    stock = dict(handlers)

    def name_of(physical_id: str) -> str:
        name, _ = secretsmanager._resolve(physical_id)
        return name or physical_id

    def create(logical_id, properties, stack):
        _, attributes = stock["create"](logical_id, properties, stack)
        return attributes["Arn"], attributes

    def update(physical_id, old, new, stack, logical_id=None):
        _, attributes = stock["update"](name_of(physical_id), old, new, stack, logical_id)
        return attributes["Arn"], attributes

    handlers.update(
        create=create, update=update, delete=lambda physical_id, properties: stock["delete"](name_of(physical_id), properties))

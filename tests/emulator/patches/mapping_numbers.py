"""Numbers in AWS::Lambda::EventSourceMapping.

Stock: a number from a parameter remains text, and the poller fails on `ScalingConfig.MaximumConcurrency`. AWS: CloudFormation
converts text to the type of the property. The patch also checks the range from 2 to 1000.
"""


def apply(_options) -> None:
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::EventSourceMapping"]
    stock = dict(handlers)

    def typed(properties: dict) -> dict:
        scaling = properties.get("ScalingConfig")
        if not scaling or "MaximumConcurrency" not in scaling:
            return properties
        most = int(scaling["MaximumConcurrency"])
        if not 2 <= most <= 1000:
            raise ValueError("ScalingConfig.MaximumConcurrency must be between 2 and 1000")
        return {**properties, "ScalingConfig": {**scaling, "MaximumConcurrency": most}}

    def create(logical_id, properties, stack):
        return stock["create"](logical_id, typed(properties), stack)

    def update(physical_id, old, new, *args, **kwargs):
        return stock["update"](physical_id, typed(old), typed(new), *args, **kwargs)

    handlers.update(create=create, update=update)

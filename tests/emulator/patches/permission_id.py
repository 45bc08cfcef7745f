"""The attribute `Id` of AWS::Lambda::Permission.

Stock: `!GetAtt Permission.Id` fails. AWS: it is the id of the statement in the policy of the function.
"""


def apply(_options) -> None:
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::Lambda::Permission"]
    create_stock, update_stock = handlers["create"], handlers["update"]

    def create(logical_id, properties, stack):
        name, _ = create_stock(logical_id, properties, stack)
        return name, {"Id": name}

    def update(physical_id, *args, **kwargs):
        name, _ = update_stock(physical_id, *args, **kwargs)
        return name, {"Id": name}

    handlers["create"], handlers["update"] = create, update

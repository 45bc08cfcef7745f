"""The lifecycle of a bucket from CloudFormation.

Stock: the property LifecycleConfiguration of an AWS::S3::Bucket has no effect. AWS: it is the bucket's lifecycle configuration. Here,
a rule may delete noncurrent versions and abort unfinished uploads; other properties are errors. No object expires here.
"""

# The properties of a rule, with the element and the number of days of each.
RULES = {
    "NoncurrentVersionExpiration": "NoncurrentDays",
    "AbortIncompleteMultipartUpload": "DaysAfterInitiation",
}


def document(rules: list) -> str:
    """Returns the body of PutBucketLifecycleConfiguration."""
    body = ""
    for rule in rules:
        unknown = set(rule) - {"Id", "Status", *RULES}
        if unknown:
            raise ValueError(f"LifecycleConfiguration: the emulator does not know {', '.join(sorted(unknown))}")
        actions = "".join(f"<{name}><{days}>{rule[name][days]}</{days}></{name}>" for name, days in RULES.items() if name in rule)
        body += f"<Rule><ID>{rule['Id']}</ID><Filter><Prefix></Prefix></Filter><Status>{rule['Status']}</Status>{actions}</Rule>"
    return f"<LifecycleConfiguration>{body}</LifecycleConfiguration>"


def apply(_options) -> None:
    from ministack.services import s3
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::S3::Bucket"]
    stock = dict(handlers)

    def set_lifecycle(made: tuple, properties: dict) -> tuple:
        rules = (properties.get("LifecycleConfiguration") or {}).get("Rules")
        if not rules:
            s3._delete_bucket_lifecycle(made[0])
            return made
        status, _headers, body = s3._put_bucket_lifecycle(made[0], document(rules).encode())
        if status >= 400:
            raise ValueError(f"LifecycleConfiguration: {body.decode()}")
        return made

    def create(logical_id, properties, stack):
        return set_lifecycle(stock["create"](logical_id, properties, stack), properties)

    def update(physical_id, old, new, stack):
        return set_lifecycle(stock["update"](physical_id, old, new, stack), new)

    handlers.update(create=create, update=update)

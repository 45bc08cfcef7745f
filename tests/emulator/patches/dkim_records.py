"""The attributes `DkimDNSTokenName1` to `3` and `DkimDNSTokenValue1` to `3` of an AWS::SES::EmailIdentity.

Stock: `!GetAtt` of these attributes fails. AWS: they are the CNAME records that verify the domain.
"""


def apply(_options) -> None:
    from ministack.services import ses
    from ministack.services.cloudformation import provisioners

    handlers = provisioners._RESOURCE_HANDLERS["AWS::SES::EmailIdentity"]
    stock = dict(handlers)

    def with_records(made: tuple[str, dict]) -> tuple[str, dict]:
        domain, attributes = made
        records = {}
        for number, token in enumerate(ses._dkim_tokens(domain), 1):
            records[f"DkimDNSTokenName{number}"] = f"{token}._domainkey.{domain}"
            records[f"DkimDNSTokenValue{number}"] = f"{token}.dkim.amazonses.com"
        return domain, {**(attributes or {}), **records}

    for verb in ("create", "update"):
        if verb in stock:
            handlers[verb] = lambda *args, verb=verb, **kwargs: with_records(stock[verb](*args, **kwargs))

"""The actions and resources of SES v2 SendEmail: the identity and the configuration set, and SendRawEmail for raw mail.

Stock: requires `ses:SendEmail` on `*`, which a policy for a single identity does not allow. AWS: requires `ses:SendEmail`, and for
raw content also `ses:SendRawEmail`, each on the sender's identity and on the configuration set. In the sandbox (`--ses-sandbox`), each
is also required on the identities of the recipients (terraform-aws-ses#40).
"""

import base64
import email
import email.policy
import json
from email.utils import getaddresses, parseaddr

SEND = "/v2/email/outbound-emails"
sandbox = False  # set by `apply`


def recipients(request: dict) -> list[str]:
    """Returns the addresses of the recipients, from the request or from the headers of raw content."""
    named = [address for addresses in (request.get("Destination") or {}).values() for address in addresses]
    raw = ((request.get("Content") or {}).get("Raw") or {}).get("Data")
    if raw and not named:
        message = email.message_from_bytes(base64.b64decode(raw), policy=email.policy.default)
        named = [value for name in ("To", "Cc", "Bcc") for value in message.get_all(name, [])]
    return sorted({address for _, address in getaddresses(map(str, named))})


def send_checks(body: bytes, region: str, account: str) -> list[tuple[str, str]]:
    """Returns the pairs of action and resource that must be allowed for a SendEmail."""
    from ministack.services import ses, ses_v2

    try:
        request = json.loads(body or b"{}")
    except ValueError:
        return []
    sender = parseaddr(request.get("FromEmailAddress") or "")[1]
    domain = sender.rpartition("@")[2]
    identity = sender if sender in {*ses._identities, *ses_v2._identities} else domain
    resources = [f"arn:aws:ses:{region}:{account}:identity/{identity}"]
    if request.get("ConfigurationSetName"):
        resources.append(f"arn:aws:ses:{region}:{account}:configuration-set/{request['ConfigurationSetName']}")
    if sandbox:
        resources += [f"arn:aws:ses:{region}:{account}:identity/{address}" for address in recipients(request)]
    actions = ["ses:SendEmail"]
    if (request.get("Content") or {}).get("Raw"):
        actions.append("ses:SendRawEmail")
    return [(action, resource) for action in actions for resource in resources]


def apply(options) -> None:
    global sandbox
    sandbox = options.ses_sandbox

    from ministack import app

    stock = app._enforce_ses_v2

    def enforce(method, path, headers, body, query, request_id):
        if not app.AUTH or method != "POST" or path != SEND:
            return stock(method, path, headers, body, query, request_id)
        from ministack.core.responses import get_account_id

        region = app.extract_region(headers, query)
        for action, resource in send_checks(body, region, get_account_id()):
            denied = app._enforce_data_plane(
                "sesv2", action, headers, query, request_id, resource_arn=resource, named_resource=resource)
            if denied:
                return denied
        return None

    app._enforce_ses_v2 = enforce

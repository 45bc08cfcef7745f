"""Sent mail as passed to SES v2: raw MIME, tags and configuration set, at GET /_ministack/ses/messages.

Stock: the list has only subject and bodies. Here: each message also has `Raw` (base64, null for a simple mail), `Tags` (a list of
Name and Value) and `ConfigurationSet`. As on AWS, an unknown configuration set and a tag with invalid characters are errors.
"""

import json
import re

TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")
FIELDS = ("Raw", "Tags", "ConfigurationSet")


def refusal(request: dict, configuration_sets) -> tuple[int, str, str] | None:
    name = request.get("ConfigurationSetName")
    if name and name not in configuration_sets:
        return 404, "NotFoundException", f"Configuration set <{name}> does not exist."
    for tag in request.get("EmailTags") or []:
        for part in ("Name", "Value"):
            if not TAG.fullmatch(tag.get(part) or ""):
                return 400, "BadRequestException", f"Invalid email tag {part.lower()}: <{tag.get(part)}>"
    return None


def apply(_options) -> None:
    from ministack import app
    from ministack.services import ses, ses_v2

    handle = ses_v2.handle_request
    show = app._handle_ses_messages_request

    async def handle_request(method, path, headers, body, query):
        if method != "POST" or not path.endswith("/outbound-emails"):
            return await handle(method, path, headers, body, query)
        request = json.loads(body or b"{}")
        refused = refusal(request, {*ses._configuration_sets, *ses_v2._config_sets})
        if refused:
            status, code, message = refused
            return status, {"Content-Type": "application/json", "x-amzn-errortype": code}, json.dumps(
                {"message": message}).encode()
        status, answer_headers, answer = await handle(method, path, headers, body, query)
        if status == 200:
            identifier = json.loads(answer)["MessageId"]
            record = next(r for r in ses._sent_emails_list() if r["MessageId"] == identifier)
            record["Raw"] = ((request.get("Content") or {}).get("Raw") or {}).get("Data")
            record["Tags"] = request.get("EmailTags") or []
            record["ConfigurationSet"] = request.get("ConfigurationSetName")
        return status, answer_headers, answer

    async def show_messages(method, path, headers, query):
        response = await show(method, path, headers, query)
        if response is None or response[0] != 200:
            return response
        listing = json.loads(response[2])
        for key, records in ses._sent_emails.to_dict().items():
            details = {r["MessageId"]: r for r in records} if key[-1] == "entries" else {}
            for messages in listing["messages"].values():
                for message in messages:
                    record = details.get(message["MessageId"])
                    if record:
                        message.update({name: record.get(name) for name in FIELDS})
        return response[0], response[1], json.dumps(listing).encode()

    ses_v2.handle_request = handle_request
    app._handle_ses_messages_request = show_messages

"""Gives schemathesis orders that are right, so that it also sees the answers to those: what it makes up fits the schema, and is no order."""

import schemathesis
from hypothesis import strategies
from server import PATH, samples

schemathesis.openapi.format("currency", strategies.sampled_from(["EUR", "USD", "JPY", "BRL", "VES"]))
schemathesis.openapi.format("decimal", strategies.from_regex(r"\A-?[1-9][0-9]{0,8}\.00\Z"))


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Adds orders to the document, and the key of one: PUT stores it, GET finds it, and with one thing changed it is a conflict or none."""
    first, second = samples()[:2]
    order = raw_schema["paths"][f"{PATH}/{{key}}"]
    order["parameters"][0]["example"] = first["order_id"]
    for operation, example in ((order["put"], first), (raw_schema["paths"][PATH]["post"], second)):
        operation["requestBody"]["content"]["application/json"]["example"] = example

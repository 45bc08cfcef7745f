"""Gives schemathesis valid orders, because the data that it generates fits the schema but is rarely a valid order."""

import schemathesis
from hypothesis import strategies
from server import PATH, samples

schemathesis.openapi.format("currency", strategies.sampled_from(["EUR", "USD", "JPY", "BRL", "VES"]))
schemathesis.openapi.format("decimal", strategies.from_regex(r"\A-?[1-9][0-9]{0,8}\.00\Z"))


@schemathesis.hook
def before_load_schema(context, raw_schema):
    """Adds example orders and the key of one of them to the document. PUT stores the order, GET finds it, and a changed order is a conflict or invalid."""
    first, second = samples()[:2]
    order = raw_schema["paths"][f"{PATH}/{{key}}"]
    order["parameters"][0]["example"] = first["order_id"]
    for operation, example in ((order["put"], first), (raw_schema["paths"][PATH]["post"], second)):
        operation["requestBody"]["content"]["application/json"]["example"] = example

"""Webhooks, signed independently of the program with Python's `hmac`: valid, wrong, replayed, stale and rotated signatures of every scheme,
orders that are delivered again, hostile requests, and the shipped pipelines for Shopify and WooCommerce.

    python webhooks.py [--oms FILE]
"""

import base64
import gzip
import hashlib
import hmac
import json
import sys
import tempfile
import time
from pathlib import Path

from server import ROOT, Closed, Server, arguments, check, run_test

PAYLOADS = Path(__file__).resolve().parent / "payloads"
WEBHOOK = "/hooks/orders"
# The body of every reply to a request without a valid signature.
REFUSED = {"status": 401, "title": "Unauthorized", "type": "about:blank"}


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def encoded(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Scheme:
    """A way to sign: its settings in the pipeline, an order, and the type and the path of the order's key."""

    def __init__(self, name: str, order: dict, key: list, secrets: tuple = ("first secret", "second secret", "third secret"), timed: bool = False, more: str = ""):
        self.name, self.order, self.key, self.secrets, self.timed, self.more = name, order, key, secrets, timed, more

    def sign(self, secret: str, body: bytes, at: int, times: int = 1) -> dict:
        """The headers of a delivery. `times` is the number of signatures in the header."""
        raise NotImplementedError

    def pipeline(self, secrets: list) -> str:
        named = ", ".join(f"{{ secret: {name} }}" for name in secrets)
        named = named if len(secrets) == 1 else f"[{named}]"
        kind = "integer" if isinstance(self.value(self.order), int) else "string"
        schema = {"type": kind}
        for name in reversed(self.key):
            schema = {"type": "object", "required": [name], "properties": {name: schema}}
        schema["properties"] |= {"changed": {"type": "integer"}, "counted": {"type": "integer"}}
        return json.dumps({
            "oms": 1, "name": "hooks",
            "order": {"schema": schema, "key": f"${{{{ order.{'.'.join(self.key)} }}}}", "ignore": ["/changed"]},
            "intake": {"path": WEBHOOK, "verify": "VERIFY"},
            "steps": {"store": {"uses": "object.put", "with": {"bucket": "orders", "key": "${{ run.key }}.json", "body": "${{ order }}"}}},
        }).replace('"VERIFY"', f"{{ scheme: {self.name}, secret: {named}{self.more} }}")

    def value(self, order: dict):
        for name in self.key:
            order = order[name]
        return order

    def with_key(self, number: int) -> bytes:
        """The order with another key."""
        order = json.loads(json.dumps(self.order))
        inner = order
        for name in self.key[:-1]:
            inner = inner[name]
        old = inner[self.key[-1]]
        inner[self.key[-1]] = number if isinstance(old, int) else f"{old}-{number}"
        return json.dumps(order).encode()


class Plain(Scheme):
    """One signature of the body in one header."""

    header, prefix, encode = "", "", staticmethod(encoded)

    def sign(self, secret, body, at, times=1):
        return {self.header: self.prefix + self.encode(mac(secret.encode(), body))}


class Shopify(Plain):
    header = "X-Shopify-Hmac-SHA256"


class WooCommerce(Plain):
    header = "X-WC-Webhook-Signature"


class GitHub(Plain):
    header, prefix, encode = "X-Hub-Signature-256", "sha256=", staticmethod(bytes.hex)


class Generic(Plain):
    header, prefix, encode = "X-Signature", "v=", staticmethod(bytes.hex)


class Stripe(Scheme):
    def sign(self, secret, body, at, times=1):
        signature = mac(secret.encode(), f"{at}.".encode() + body).hex()
        return {"Stripe-Signature": ",".join([f"t={at}", "v0=ignored"] + ["v1=" + "0" * 64] * (times - 1) + [f"v1={signature}"])}


class Standard(Scheme):
    def sign(self, secret, body, at, times=1):
        key = base64.b64decode(secret.removeprefix("whsec_"))
        signature = "v1," + encoded(mac(key, f"msg_1.{at}.".encode() + body))
        signatures = ["v1," + encoded(bytes(32))] * (times - 1) + [signature]
        return {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": " ".join(signatures)}


def schemes() -> list:
    read = lambda path: json.loads(path.read_bytes())
    client_secrets = tuple(encoded(f"client secret {number} of BigCommerce".encode()) for number in range(3))
    standard_secrets = tuple("whsec_" + encoded(bytes([number]) * 24) for number in range(1, 4))
    endpoint_secrets = tuple(f"whsec_{number}endpoint" for number in range(3))
    return [
        Shopify("shopify", read(ROOT / "pipelines/shopify/samples/9007199254740993.json"), ["id"]),
        WooCommerce("woocommerce", read(ROOT / "pipelines/woocommerce/samples/727.json"), ["id"]),
        GitHub("github", {"zen": "Keep it logically awesome.", "hook_id": 42}, ["hook_id"]),
        Generic("hmac", {"number": "A-1"}, ["number"], more=", header: X-Signature, algorithm: sha256, encoding: hex, prefix: 'v='"),
        Stripe("stripe", read(PAYLOADS / "stripe-event.json"), ["id"], endpoint_secrets, timed=True),
        Standard("standard-webhooks", {"type": "order.created", "data": {"id": "o_1"}}, ["data", "id"], standard_secrets, timed=True),
        Standard("standard-webhooks", read(PAYLOADS / "bigcommerce-webhook.json"), ["data", "id"], client_secrets, timed=True),
    ]


# The statuses of all replies to `POST` on the path of webhooks.
STATUSES = set()


def post(server: Server, body: bytes, headers: dict, path: str = WEBHOOK):
    answer = server.ask("POST", path, body, headers)
    if path == WEBHOOK:
        STATUSES.add(answer.status)
    return answer


def described(server: Server, scheme: Scheme) -> None:
    """Compares the replies with the server's OpenAPI document."""
    document = server.ask("GET", "/openapi.json").json()
    methods = document["paths"][WEBHOOK]
    check("the described methods", ["post"], list(methods))
    check("statuses that are not described", set(), {str(status) for status in STATUSES} - set(methods["post"]["responses"]) - {"431"})
    [[security]] = [list(one) for one in methods["post"]["security"]]
    header = document["components"]["securitySchemes"][security]["name"]
    check("the described header has the signature", True, header.lower() in {name.lower() for name in scheme.sign(scheme.secrets[0], b"", 0)})


def refused(server: Server, what: str, body: bytes, headers: dict) -> None:
    answer = post(server, body, headers)
    check(f"{what} is refused", (401, REFUSED), (answer.status, answer.json()))


def one_scheme(oms: Path, scheme: Scheme, folder: Path) -> None:
    first, second, third = scheme.secrets
    pipeline = folder / "hooks.yaml"
    server = Server(oms, folder, pipeline)
    server.variables = {"FIRST": first, "SECOND": second}
    body = json.dumps(scheme.order).encode()

    def everything() -> None:
        now = int(time.time())
        pipeline.write_text(scheme.pipeline(["FIRST"]))
        server.start("--access-log")
        wrong(server, scheme, body, now)
        check("nothing is stored", 0, len(server.query("select 1 from oms_runs")))
        headers = scheme.sign(first, body, now)
        check("a valid signature", 201, post(server, body, headers).status)
        check("the same delivery again", 200, post(server, body, headers).status)
        check("the same order with a new signature", 200, post(server, body, scheme.sign(first, body, now + 1)).status)
        delivered_again(server, scheme, now)
        hostile(server, scheme, body, now)
        described(server, scheme)
        server.wait_until_idle()
        check("the exit code of the server", 0, server.stop())
        # The secret is changed: the new one is added, the sender changes it, the old one is removed.
        pipeline.write_text(scheme.pipeline(["SECOND", "FIRST"]))
        server.start()
        for secret, status in ((first, 200), (second, 200), (third, 401)):
            check(f"during the change of the secret, {status}", status, post(server, body, scheme.sign(secret, body, now)).status)
        check("the exit code of the server", 0, server.stop())
        pipeline.write_text(scheme.pipeline(["SECOND"]))
        server.start()
        for secret, status in ((first, 401), (second, 200)):
            check(f"after the change of the secret, {status}", status, post(server, body, scheme.sign(secret, body, now)).status)
        check("the exit code of the server", 0, server.stop())
        for word in ("panicked", first, second):
            check("the log has neither a panic nor a secret", False, server.log_contains(word))
        for path in server.state.iterdir():
            if path.is_file():
                check(f"`{path.name}` has no secret", False, first.encode() in path.read_bytes())

    print(f"--    {scheme.name}", flush=True)
    if code := run_test(server, everything):
        sys.exit(code)


def wrong(server: Server, scheme: Scheme, body: bytes, now: int) -> None:
    first, second, _ = scheme.secrets
    headers = scheme.sign(first, body, now)
    name = list(headers)[-1]
    refused(server, "a body without a signature", body, {})
    refused(server, "an empty signature", body, headers | {name: ""})
    refused(server, "the signature of another secret", body, scheme.sign(second, body, now))
    refused(server, "the signature of another body", body + b" ", headers)
    refused(server, "a signature that was cut", body, headers | {name: headers[name][:-2]})
    refused(server, "text instead of a signature", body, headers | {name: "x" * len(headers[name])})
    refused(server, "an invalid body of another type", b"\xff", headers | {"content-type": "text/plain"})
    if scheme.timed:
        for seconds in (-3600, -310, 310):
            refused(server, f"a signature {seconds} seconds from now", body, scheme.sign(first, body, now + seconds))
        check("the order is not known", 0, len(server.query("select 1 from oms_runs")))


def delivered_again(server: Server, scheme: Scheme, now: int) -> None:
    first = scheme.secrets[0]
    send = lambda order: post(server, data := json.dumps(order).encode(), scheme.sign(first, data, now))
    check("an order that differs only in an ignored member", 200, send(scheme.order | {"changed": 7}).status)
    conflict = send(scheme.order | {"changed": 8, "counted": 123456789})
    check("an order that differs elsewhere", (409, ["/counted"]), (conflict.status, conflict.json()["pointers"]))
    run = post(server, data := json.dumps(scheme.order).encode(), scheme.sign(first, data, now)).json()["run"]
    check("the conflict names the run and no value", (run, False), (conflict.json()["run"], b"123456789" in conflict.body))


def hostile(server: Server, scheme: Scheme, body: bytes, now: int) -> None:
    first = scheme.secrets[0]
    headers = scheme.sign(first, body, now)
    name = list(headers)[-1]
    check("the signature of an empty body", 400, post(server, b"", scheme.sign(first, b"", now)).status)
    check("the signature of a body that is not JSON", 400, post(server, b"\xff", scheme.sign(first, b"\xff", now)).status)
    refused(server, "an empty body", b"", headers)
    refused(server, "a signature that is not ASCII", body, headers | {name: "\xff" + headers[name]})
    refused(server, "a long signature", body, headers | {name: headers[name] + "A" * 8_000})
    check("a header of 1 MB", {400, 401, 431, "closed"}, huge(server, body, headers | {name: "A" * 1_000_000}))
    with server.connect() as connection:
        lines = "".join(f"{key}: {value}\r\n" for key, value in headers.items())
        twice = f"POST {WEBHOOK} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n{lines}{name}: {headers[name]}\r\n\r\n"
        connection.send(twice.encode() + body)
        check("two headers with a valid signature are refused", 401, connection.answer().status)
    if scheme.timed:
        data = scheme.with_key(2)
        check("the last of four signatures is valid", 201, post(server, data, scheme.sign(first, data, now, times=4)).status)
        refused(server, "the last of 200 signatures", body, scheme.sign(first, body, now, times=60))
    packed = gzip.compress(body)
    check("a compressed body", 415, post(server, packed, scheme.sign(first, packed, now) | {"content-encoding": "gzip"}).status)
    form = {"content-type": "application/x-www-form-urlencoded"}
    check("a signed form", 415, post(server, body, headers | form).status)
    expected = 200 if scheme.name == "woocommerce" else 401
    check("an unsigned ping", expected, post(server, b"webhook_id=7", form).status)
    for path in (f"{WEBHOOK}/", f"{WEBHOOK}/7", "/hooks%2Forders", "/hooks/%6frders/7", "/HOOKS/orders"):
        check(f"{path}", {404, 405}, post(server, body, headers, path).status)
    for method in ("GET", "PUT", "DELETE"):
        check(method, 405, server.ask(method, WEBHOOK, body, headers).status)
    check("the server is alive", True, server.lives())


def huge(server: Server, body: bytes, headers: dict):
    try:
        return post(server, body, headers).status
    except Closed:
        return "closed"


def shipped(oms: Path, pipeline: str, scheme: type, topic: tuple, folder: Path) -> None:
    """Delivers the samples of a shipped pipeline, and another event."""
    server = Server(oms, folder, ROOT / f"pipelines/{pipeline}.yaml")
    server.variables = {f"{pipeline.upper()}_SECRET": "hush"}
    signed = scheme(pipeline, {}, [])
    path = f"/{pipeline}/orders"
    files = sorted((ROOT / f"pipelines/{pipeline}/samples").glob("*.json"))

    def everything() -> None:
        server.start()
        for file in files:
            body = file.read_bytes()
            headers = signed.sign("hush", body, 0)
            check("another event", 204, post(server, body, headers | {topic[0]: "customers/update"}, path).status)
            answer = post(server, body, headers | {topic[0]: topic[1]}, path)
            check(f"the order {file.stem}", (201, file.stem), (answer.status, answer.json()["key"]))
            check("the order again", 200, post(server, body, headers | {topic[0]: topic[1]}, path).status)
        server.wait_until_idle()
        check("every order completed", {file.stem: "completed" for file in files}, server.runs())
        rows = dict(server.query("select order_id, amount from billing_data"))
        check("every order is billed under its exact id", sorted(int(file.stem) for file in files), sorted(rows))
        check("the exit code of the server", 0, server.stop())

    print(f"--    pipelines/{pipeline}.yaml", flush=True)
    if code := run_test(server, everything):
        sys.exit(code)


def main() -> int:
    args = arguments(__doc__).parse_args()
    for scheme in schemes():
        with tempfile.TemporaryDirectory() as name:
            one_scheme(args.oms, scheme, Path(name))
    with tempfile.TemporaryDirectory() as name:
        shipped(args.oms, "shopify", Shopify, ("X-Shopify-Topic", "orders/create"), Path(name))
    with tempfile.TemporaryDirectory() as name:
        shipped(args.oms, "woocommerce", WooCommerce, ("X-WC-Webhook-Topic", "order.created"), Path(name))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""Slow, faulty and malicious clients: each gets the correct answer or none, and no invalid order is stored.

    python hostile.py [--oms FILE] [--corpus DIR]

With `--corpus`, the folder of large test data, every body of its JSON test suite and every unusual order is put too.

While slow clients hold connections open for as long as the server allows, the others run one after the other. At the end, the database must
hold exactly the orders that got a 2xx, each once. No answer may be a 5xx, except while the API keys are unreadable. The server must answer
as before, must have closed every connection, and must not have exceeded its memory limit.
"""

import json
import re
import socket
import sqlite3
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlencode

from server import ORDER_MAX, PATH, PIPELINE, Closed, Failed, Server, agree, arguments, check, order, play, request, until, written
from slow_clients import BODY, CLOSED, HEADERS, LATE, OPEN, slow

# Maximum memory of the server in megabytes.
MEMORY_MAX = 300
# Seconds of silence after which a connection counts as open.
SILENCE = 0.3
SMUGGLED = "SMUGGLED"
# Seconds until a change of the API keys takes effect. The server caches the keys for a second.
KEYS = 1.1


class Hostile:
    """A server, and the keys of all orders that it must have stored."""

    def __init__(self, server: Server):
        self.server, self.accepted, self.number = server, set(), 0
        # The key of the concurrent orders with different customers. The stored one has a bill but no mail, because its customer is unknown.
        self.parked = None

    def fresh(self) -> str:
        self.number += 1
        return f"H-{self.number}"

    def expect(self, what: str, expected, answer, key: str | None = None) -> None:
        """Checks the status of an answer, and records the key of an order that got a 2xx."""
        check(what, expected, answer.status)
        if answer.status < 300 and key:
            self.accepted.add(key)
        if answer.status >= 400 and answer.headers.get("content-type") != "application/problem+json":
            raise Failed(f"{what}: the rejection is not a problem document: {answer.headers}")

    def exchange(self, data: bytes, then_end: bool = False) -> list:
        """Sends bytes on a new connection. Returns the statuses of all answers, and whether the connection is open or closed afterwards."""
        found = []
        with self.server.connect() as connection:
            connection.send(data)
            if then_end:
                connection.socket.shutdown(socket.SHUT_WR)
            try:
                while True:
                    answer = connection.answer(to_head=data.startswith(b"HEAD "))
                    if answer.status >= 400 and answer.headers.get("content-type") != "application/problem+json":
                        raise Failed(f"{data[:60]!r}: the rejection is not a problem document: {answer.headers}")
                    found.append(answer.status)
                    connection.socket.settimeout(SILENCE)
            except Closed:
                return [*found, CLOSED]
            except TimeoutError:
                return [*found, OPEN]

    def head(self, key: str, *lines: str, method: str = "PUT", version: str = "1.1") -> bytes:
        """The head of a request with an order, with additional lines."""
        begin = [f"{method} {PATH}/{key} HTTP/{version}", f"Host: 127.0.0.1:{self.server.port}", "Content-Type: application/json"]
        return "".join(f"{line}\r\n" for line in [*begin, *lines, ""]).encode("latin-1")

    def get(self, target: str = "/healthz", *lines: str) -> bytes:
        begin = [f"GET {target} HTTP/1.1", f"Host: 127.0.0.1:{self.server.port}"]
        return "".join(f"{line}\r\n" for line in [*begin, *lines, ""]).encode("latin-1")


def chunked(body: bytes, size: int = 1000) -> bytes:
    parts = [body[at : at + size] for at in range(0, len(body), size)]
    return b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"


def sizes(hostile: Hostile) -> None:
    ask = hostile.server.ask
    key = hostile.fresh()
    padded = written(order(key)).ljust(ORDER_MAX)
    hostile.expect("an order of the maximum size", 201, ask("PUT", f"{PATH}/{key}", padded), key)
    for size in (ORDER_MAX + 1, 4 << 20, 32 << 20):
        hostile.expect(f"{size} bytes", 413, ask("PUT", f"{PATH}/LARGE", b" " * size))
        with hostile.server.connect() as connection:
            connection.send(hostile.head("LARGE", "Transfer-Encoding: chunked") + chunked(b" " * size, 1 << 16))
            hostile.expect(f"{size} bytes in chunks", 413, connection.answer())
    with hostile.server.connect() as connection:
        connection.send(hostile.head("LARGE", f"Content-Length: {1 << 50}"))
        hostile.expect("an announced petabyte", 413, connection.answer())
        check("the connection of the announced petabyte is closed", True, connection.ended())
    for size in (0, 1):
        hostile.expect(f"{size} bytes", 400, ask("PUT", f"{PATH}/SMALL", b" " * size))
    check("no length", [400, OPEN], hostile.exchange(hostile.head("SMALL")))


def truncated(hostile: Hostile) -> None:
    body = written(order("CUT"))
    length = f"Content-Length: {len(body) + 10}"
    for what, data in {
        "half a body": hostile.head("CUT", length) + body[:50],
        # The received bytes are a complete order, but fewer than announced.
        "an order with fewer bytes than announced": hostile.head("CUT", length) + body,
        "an order in chunks without the last one": hostile.head("CUT", "Transfer-Encoding: chunked") + chunked(body)[: -len(b"0\r\n\r\n")],
        "an order in chunks with half of the last one": hostile.head("CUT", "Transfer-Encoding: chunked") + chunked(body)[:-2],
    }.items():
        check(f"{what}, then the end of the stream", ({400, CLOSED}), hostile.exchange(data, then_end=True)[0])
        with hostile.server.connect() as connection:
            connection.send(data)
            # Reset the connection instead of closing it.
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    check("half a head", [CLOSED], hostile.exchange(hostile.get()[:20], then_end=True))


def chunks(hostile: Hostile) -> None:
    for size in (1, 7, 1 << 20):
        key = hostile.fresh()
        data = hostile.head(key, "Transfer-Encoding: chunked") + chunked(written(order(key)), size)
        check(f"an order in chunks of {size}", [201, OPEN], hostile.exchange(data))
        hostile.accepted.add(key)
    key = hostile.fresh()
    trailed = chunked(written(order(key)))[:-2] + b"X-Trailer: 1\r\n\r\n"
    check("an order in chunks, with a trailer", [201, OPEN], hostile.exchange(hostile.head(key, "Transfer-Encoding: chunked") + trailed))
    hostile.accepted.add(key)
    body = written(order("CHUNKS"))
    for broken in (b"zz\r\n", b"-1\r\n", b"\r\n", b"10000000000000000\r\n", b"5\r\nhello!!\r\n", b"5;" + b"x" * 40_000, b"5\nhello\n0\n\n",
                   b"0\r\n" + b"x: y\r\n" * 10_000 + b"\r\n", b"0x5\r\nhello\r\n", b" 5\r\nhello\r\n", chunked(body)[:-5] + b"0\r\nno trailer\r\n\r\n"):
        data = hostile.head("CHUNKS", "Transfer-Encoding: chunked") + broken
        check(f"the chunks {broken[:20]!r}", [400, CLOSED], hostile.exchange(data + hostile.get()))
    # Send chunks as fast as the server reads them.
    with hostile.server.connect() as connection:
        connection.send(hostile.head("ENDLESS", "Transfer-Encoding: chunked"))
        connection.socket.settimeout(BODY + LATE)
        endless = threading.Thread(target=lambda: [connection.send(b"1000\r\n" + b"x" * 4096 + b"\r\n") for _ in range(20_000)], daemon=True)
        endless.start()
        hostile.expect("endless chunks", 413, connection.answer())
        endless.join()


def pipelined(hostile: Hostile) -> None:
    server = hostile.server
    with server.connect() as connection:
        keys = [hostile.fresh() for _ in range(50)]
        bodies = [written(order(key)) for key in keys]
        bodies[20] = b"{}"
        connection.send(b"".join(request(server.port, "PUT", f"{PATH}/{key}", body) for key, body in zip(keys, bodies)))
        answers = [connection.answer() for _ in keys]
        check("50 pipelined orders, one of them invalid", [400 if at == 20 else 201 for at in range(50)], [answer.status for answer in answers])
        named = [key for at, key in enumerate(keys) if at != 20]
        check("the answers have the order of the requests", named, [answer.json()["key"] for answer in answers if answer.status == 201])
        hostile.accepted |= set(named)
        connection.send(hostile.get() * 2_000)
        check("2,000 requests before the first answer is read", {200}, {connection.answer().status for _ in range(2_000)})
    # After a request with an ambiguous end, the server must not read a next one.
    data = hostile.head("BROKEN", "Content-Length: 5", "Content-Length: 6") + b"hello" + request(server.port, "PUT", f"{PATH}/{SMUGGLED}", written(order(SMUGGLED)))
    check("an order after a malformed request", [400, CLOSED], hostile.exchange(data))


def framing(hostile: Hostile) -> None:
    """A request inside the body of another one must not be executed."""
    within = request(hostile.server.port, "PUT", f"{PATH}/{SMUGGLED}", written(order(SMUGGLED)))
    key = hostile.fresh()
    body = written(order(key))
    length, te = f"Content-Length: {len(body)}", "Transfer-Encoding: chunked"
    check("the order itself", [201, OPEN], hostile.exchange(hostile.head(key, length) + body))
    hostile.accepted.add(key)
    refused = [
        ["Content-Length: 5", "Content-Length: 6"], [length, "Content-Length: 0"], [f"Content-Length: {len(body)}, {len(body)}"], ["Content-Length: 5, 6"],
        *[[f"Content-Length: {value}"] for value in ("+5", "-1", "0x10", "1e3", "5.0", "", "5 5", "18446744073709551616", "\xb2")],
        *[[f"Transfer-Encoding: {value}"] for value in ("xchunked", "chunked, identity", "identity", "\x0bchunked", "chunked\0", '"chunked"', "chunked;x=1", "")],
        ["Transfer-Encoding : chunked"], ["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], ["Transfer-Encoding:", " chunked"],
        ["X: y\rTransfer-Encoding: chunked"], [length, "Content-Length : 0"], [" Content-Length: 5"], [f"X: y\0{length}"],
    ]
    for lines in refused:
        check(f"{' | '.join(lines)!a}", [400, CLOSED], hostile.exchange(hostile.head(SMUGGLED, *lines) + b"0\r\n\r\n" + within))
    check("chunks in HTTP/1.0", [400, CLOSED], hostile.exchange(hostile.head(key, te, version="1.0") + chunked(body)))
    check("the largest length", {400, 413, 431}, hostile.exchange(hostile.head(key, f"Content-Length: {(1 << 64) - 1}") + within)[0])
    # Transfer-Encoding overrides Content-Length, and the connection must be closed after the answer (RFC 9112, section 6.3).
    for lines in ([length, te], [te, length], ["Content-Length: 0", te]):
        check(f"{' | '.join(lines)}", [200, CLOSED], hostile.exchange(hostile.head(key, *lines) + chunked(body) + within))
    # Content-Length ends the body, even if the body looks like chunks.
    check("two equal lengths", [200, OPEN], hostile.exchange(hostile.head(key, length, length) + body))
    check("the end of chunks in a body of 5 bytes", [400, 200, OPEN], hostile.exchange(hostile.head(key, "Content-Length: 5") + b"0\r\n\r\n" + hostile.get()))
    # hyper checks only the last coding and treats the content as JSON. The end of the body is unambiguous.
    for value in ("chunked, chunked", "gzip, chunked", "CHUNKED"):
        check(f"Transfer-Encoding: {value}", [200, OPEN], hostile.exchange(hostile.head(key, f"Transfer-Encoding: {value}") + chunked(body)))
    # A GET or a HEAD can have a body too.
    for method in ("GET", "HEAD", "DELETE"):
        found = hostile.exchange(hostile.head(SMUGGLED, f"Content-Length: {len(within)}", method=method) + within)
        check(f"a request as the body of a {method}", 1, len([status for status in found if isinstance(status, int)]))
    for what, data in {"NUL bytes": bytes(100), "TLS": b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500), "an old greeting": b"HELO x\r\n\r\n"}.items():
        check(what, [400, CLOSED], hostile.exchange(data + within))
    check("HTTP/2", CLOSED, hostile.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + within)[-1])


def heads(hostile: Hostile) -> None:
    for what, status, data in [
        ("60 headers", 200, hostile.get("/healthz", *["X: y"] * 60)),
        ("10,000 headers", 431, hostile.get("/healthz", *["X: y"] * 10_000)),
        ("a header of 100 kB", 431, hostile.get("/healthz", f"X: {'y' * 100_000}")),
        ("a URL of 100 kB", {414, 431}, hostile.get("/" + "a" * 100_000)),
        ("a URL of 20 kB", 404, hostile.get("/" + "a" * 20_000)),
        ("a query of 20 kB", 200, hostile.get("/healthz?" + "a" * 20_000)),
        ("a space in a header's name", 400, hostile.get("/healthz", "X Y: z")),
        ("a header without a name", 400, hostile.get("/healthz", ": z")),
        ("NUL in a header", 400, hostile.get("/healthz", "X: a\0b")),
        ("invalid UTF-8 in a header", 200, hostile.get("/healthz", "X-Request-Id: \xff\xfe")),
        ("invalid UTF-8 in a path", 400, hostile.get(f"{PATH}/\xff\xfe")),
        ("NUL in a path", 400, hostile.get(f"{PATH}/a\0b")),
        ("a space in a path", 400, hostile.get(f"{PATH}/a b")),
        ("a path with two dots above the root", 404, hostile.get("/../../../../etc/passwd")),
    ]:
        check(what, status, hostile.exchange(data)[0])
    given = hostile.server.ask("GET", "/healthz", headers={"x-request-id": "mine-1"})
    check("a valid request id is returned", "mine-1", given.headers["x-request-id"])
    for bad in ("a b", "x" * 65, "<script>", "\xe9"):
        given = hostile.server.ask("GET", "/healthz", headers={"x-request-id": bad})
        check(f"the request id {bad[:10]!a} is returned", False, bad in given.headers["x-request-id"])
    for value in ("wait=-1", "wait=99999999999999999999", "wait=\xff", "wait", "=", ";;,,=,wait=;", ",".join(["wait=x"] * 1000)):
        key = hostile.fresh()
        hostile.expect(f"Prefer: {value[:30]!a}", 201, hostile.server.put(order(key), {"prefer": value}), key)


def keys(hostile: Hostile) -> None:
    server = hostile.server
    for key in ("..", ".", "%2e%2e", "%2e", "%2f", "a%2fb", "..%2f..%2fetc%2fpasswd", "%00", "a%00", "%ff", "%C3%A9", "%E2%80%AE", "%F0%9F%92%A9", "a%20b",
                "%", "%zz", "a;b", "a\\b", "a:b", "a%0d%0ab", "x" * 257, "x" * 4096, "'%20or%201=1--", "%3Cscript%3E"):
        # Once with the key as sent, and once with the decoded key.
        meant = bytes.fromhex(key[1:]).decode(errors="replace") if len(key) == 3 and key[0] == "%" and key != "%zz" else key
        for body in {key, meant}:
            hostile.expect(f"PUT under {key[:30]!r}", 400, server.ask("PUT", f"{PATH}/{key}", written(order(body))))
        hostile.expect(f"GET of {key[:30]!r}", {400, 404}, server.ask("GET", f"{PATH}/{key}"))
    for key in ("..", ".", "", "a/b", "\0", "é", "x" * 257, "a b", "\u202e", "\r\n", " A", 7, None, ["A"], True):
        hostile.expect(f"POST of {key!a:.30}", 400, server.ask("POST", PATH, json.dumps(order(key)).encode()))
    for what, target in {"no key": f"{PATH}/", "a key and a slash": f"{PATH}/A/", "two parts": f"{PATH}/A/B", "two slashes": f"{PATH}//A"}.items():
        hostile.expect(f"PUT under {what}", 404, server.ask("PUT", target, written(order("A"))))
    for named, said in (("A", "B"), ("A", "a"), ("A?x=1", "A?x=1"), ("A#x", "A#x"), ("%41", "%41")):
        hostile.expect(f"{said!r} under {named!r}", 400, server.ask("PUT", f"{PATH}/{named}", written(order(said))))
    for key, target in {"x" * 256: "x" * 256, "...": "...", "-._~": "-._~", "H-41": "%48%2d%34%31", "--help": "--help", "con": "con"}.items():
        hostile.expect(f"PUT under {target[:30]!r}, which is a key", {200, 201}, server.ask("PUT", f"{PATH}/{target}", written(order(key))), key)


def kinds(hostile: Hostile) -> None:
    key = hostile.fresh()
    for kind in ("application/json", "application/JSON; charset=utf-8", "application/vnd.shop.order+json"):
        hostile.expect(f"Content-Type: {kind}", {200, 201}, hostile.server.put(order(key), {"content-type": kind}), key)
    for kind in ("text/plain", "", "application/xml", "text/json", "application/json, text/plain", "\xff", "application/x-www-form-urlencoded",
                 "multipart/form-data; boundary=x", "application/jsonx", "json"):
        hostile.expect(f"Content-Type: {kind!a}", 415, hostile.server.put(order("KIND"), {"content-type": kind}))


def name_of(number: int, raw: bytes) -> str:
    """The name for an unusual order: its own key, if it has one."""
    try:
        key = json.loads(raw)["order_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        key = None
    return quote(key, safe="") if isinstance(key, str) and key else f"EDGE-{number}"


def bodies(hostile: Hostile, corpus: Path | None) -> None:
    server = hostile.server
    # The answer must be short even if there are 10,000 faults.
    for what, body in {
        "invalid UTF-8": written(order("BODY")).replace(b"EUR", b"\xff\xfe\xfd"), "UTF-16": json.dumps(order("BODY")).encode("utf-16"),
        "a byte order mark": b"\xef\xbb\xbf" + written(order("BODY")), "gzip": b"\x1f\x8b\x08" + bytes(50), "NUL": bytes(200),
        "a surrogate": written(order("BODY")).replace(b"BODY", b"\\ud800"), "200,000 brackets": b"[" * 200_000, "40,000 braces": b'{"a":' * 40_000,
        "100,000 levels": b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "80,000 faults": b'{"items":[' + b"[]," * 79_999 + b"[]]}",
        "40,000 faults in 10,000 items": b'{"items":[' + b"{}," * 9_999 + b"{}]}", "a member 40,000 times": b"{" + b'"k":1,' * 39_999 + b'"k":1}',
        "a number of 250,000 digits": b'{"amount":' + b"9" * 250_000 + b"}", "an exponent": b'{"amount":1e999999999}', "two orders": written(order("BODY")) * 2,
    }.items():
        begun = time.monotonic()
        answer = server.ask("PUT", f"{PATH}/BODY", body)
        hostile.expect(what, 400, answer)
        if len(answer.body) > 10_000 or time.monotonic() - begun > 2:
            raise Failed(f"{what}: {len(answer.body)} bytes of problems in {time.monotonic() - begun:.1f} s")
    if corpus is None:
        return
    with server.connect() as connection:
        suite = sorted((corpus / "bad-input/json-test-suite").glob("*.json"))
        found = {path.name: connection.request("PUT", f"{PATH}/SUITE", path.read_bytes()).status for path in suite}
    check(f"{len(suite)} bodies of the JSON test suite are rejected", {}, {name: status for name, status in found.items() if status != 400})
    allowed = {"reject": {400, 413}, "accept": {201}, "accept_escaped": {201}, "no_rate": {201}, "no_contact": {201}, "idempotent": {200}, "conflict": {409}}
    wrong = []
    lines = (corpus / "bad-input/orders/cases.ndjson").read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines):
        case = json.loads(line)
        raw = case["raw"].replace("EDGE-1", f"EDGE-{number}").encode()
        answer = server.ask("PUT", f"{PATH}/{name_of(number, raw)}", raw)
        if answer.status not in allowed.get(case["expect"], {201, 200, 400, 409, 413}):
            wrong.append((case["case"], case["expect"], answer.status))
        if answer.status < 300:
            hostile.accepted.add(answer.json()["key"])
    check(f"{len(lines)} unusual orders get the expected answer", [], wrong)


def methods(hostile: Hostile) -> None:
    server = hostile.server
    key = hostile.fresh()
    hostile.expect("PUT", 201, server.put(order(key)), key)
    of_order, of_all, own = {"PUT", "GET", "HEAD"}, {"POST"}, {"GET", "HEAD"}
    for target, allowed in {f"{PATH}/{key}": of_order, PATH: of_all, "/healthz": own, "/readyz": own, "/metrics": own, "/openapi.json": own}.items():
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW", "put", "GET" * 1000):
            if method in allowed:
                continue
            answer = server.ask(method, target)
            hostile.expect(f"{method[:10]} {target}", 405, answer)
            if {word.strip() for word in answer.headers.get("allow", "").split(",")} != allowed:
                raise Failed(f"{method} {target}: Allow is {answer.headers.get('allow')}")
    for target in ("*", "/nothing", "/storefront", "/storefront/orders/A", "/STOREFRONT/ORDER/A", "/healthz/"):
        hostile.expect(f"GET {target}", 404, server.ask("GET", target))
    for method, target, status in [("GET", "/console/console.map", 404), ("GET", "/console/storefront/x", 404), ("PATCH", "/console/storefront/runs", 405)]:
        answer = server.ask(method, target)
        check(f"{method} {target}: the answer is a page", (status, "text/html; charset=utf-8"), (answer.status, answer.headers["content-type"]))
    hostile.expect("GET evil.example:80", 400, server.ask("GET", "evil.example:80"))
    head, got = server.ask("HEAD", f"{PATH}/{key}"), server.ask("GET", f"{PATH}/{key}")
    check("HEAD is GET without a body", (200, b"", got.headers["content-length"]), (head.status, head.body, head.headers["content-length"]))
    hostile.expect("HEAD of an unknown order", 404, server.ask("HEAD", f"{PATH}/NOTHING"))


def hosts(hostile: Hostile) -> None:
    """Without API keys, the server accepts only requests for a local host name. This rejects web pages that reach it by DNS rebinding."""
    server = hostile.server
    key = hostile.fresh()
    for host in ("127.0.0.1", f"localhost:{server.port}", "LOCALHOST", "[::1]", "127.1.2.3:1"):
        hostile.expect(f"Host: {host}", {200, 201}, server.put(order(key), {"host": host}), key)
    for host in ("evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "10.0.0.1", "0.0.0.0",
                 "", "a b", "\xff", "localhost/../evil", "2130706433", None):
        for answer in (server.put(order("HOST"), {"host": host}), server.ask("POST", PATH, written(order("HOST")), {"host": host}),
                       server.ask("GET", f"{PATH}/{key}", headers={"host": host})):
            hostile.expect(f"Host: {host!a}", {400, 421}, answer)
    check("HTTP/1.0 without Host", [421, CLOSED], hostile.exchange(f"PUT {PATH}/HOST HTTP/1.0\r\nContent-Length: 2\r\n\r\n{{}}".encode()))


def proxies(hostile: Hostile) -> None:
    """A server without API keys rejects requests that a proxy on the same machine forwarded."""
    server = hostile.server
    for name in ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-FORWARDED-PROTO", "X-Forwarded-Prefix", "X-Real-IP", "Via", "X-Forwarded", "CF-Connecting-IP"):
        for answer in (*(server.ask("GET", target, headers={name: "x"}) for target in ("/", "/healthz", "/readyz", "/openapi.json", "/console/login")),
                       server.put(order("PROXY"), {name: "127.0.0.1"}), server.ask("POST", PATH, written(order("PROXY")), {name: "127.0.0.1"}),
                       server.ask("GET", "/metrics", headers={name: ""}), server.ask("GET", "/console/storefront/", headers={name: "for=_x"})):
            hostile.expect(f"{name}", 403, answer)


def old(hostile: Hostile) -> None:
    key = hostile.fresh()
    body = written(order(key))
    length = f"Content-Length: {len(body)}"
    check("HTTP/1.0", [201, CLOSED], hostile.exchange(hostile.head(key, length, version="1.0") + body))
    hostile.accepted.add(key)
    check("HTTP/1.0 with keep-alive", [200, OPEN], hostile.exchange(hostile.head(key, length, "Connection: keep-alive", version="1.0") + body))
    check("HTTP/0.9", [400, CLOSED], hostile.exchange(f"GET {PATH}/{key}\r\n\r\n".encode()))
    check("HTTP/1.1 with close", [200, CLOSED], hostile.exchange(hostile.head(key, length, "Connection: close") + body))
    for version in ("1.2", "3.0", "9.9", "x"):
        check(f"HTTP/{version}", [400, CLOSED], hostile.exchange(hostile.head(key, length, version=version) + body))
    with hostile.server.connect() as connection:
        connection.send(hostile.head(key, length, "Expect: 100-continue"))
        check("Expect: 100-continue", 100, connection.answer().status)
        connection.send(body)
        hostile.expect("the order after Expect: 100-continue", 200, connection.answer(), key)
    for what, status, lines in [("with an order that is too large", 413, [f"Content-Length: {ORDER_MAX + 1}"]), ("with another media type", 415, [length, "Content-Type: x"])]:
        with hostile.server.connect() as connection:
            data = hostile.head("EXPECT", *lines, "Expect: 100-continue")
            connection.send(data.replace(b"Content-Type: application/json\r\n", b"") if status == 415 else data)
            check(f"Expect: 100-continue {what} is rejected at once", status, connection.answer().status)


def together(hostile: Hostile) -> None:
    """Many clients put an order with the same key at the same time: one order is stored."""
    for what, bodies, statuses in [
        ("the same order", lambda key, at: order(key), [200] * 29 + [201]),
        ("different orders", lambda key, at: order(key, customer_id=f"C{at}"), [201] + [409] * 29),
    ]:
        key = hostile.fresh()
        connections = [hostile.server.connect() for _ in range(30)]
        for at, connection in enumerate(connections):
            connection.send(request(hostile.server.port, "PUT", f"{PATH}/{key}", written(bodies(key, at))))
        found = sorted(connection.answer().status for connection in connections)
        check(f"{what} with one key, 30 at once", statuses, found)
        for connection in connections:
            connection.close()
        if what == "the same order":
            hostile.accepted.add(key)
        else:
            hostile.parked = key


def console(server: Server, intake: str, admin: str) -> None:
    """The console requires an admin key; an intake key opens no page of it."""
    overview = "/console/storefront/"
    for what, headers in {"no session": {}, "an admin's key in a header": {"x-api-key": admin}, "an unknown session": {"cookie": "oms=1; oms_session_1=1"}}.items():
        check(f"the console with {what}", (303, "/console/login"), leads(server.ask("GET", overview, headers=headers)))
    page = server.ask("GET", "/console/login")
    cookie = page.headers["set-cookie"].split(";")[0]
    csrf = re.search(rb'name="csrf" value="([^"]+)"', page.body)[1].decode()
    for what, expected, key, token, more in [
        ("an intake key", (403, None), intake, csrf, {}), ("an unknown key", (403, None), "x", csrf, {}), ("no token", (403, None), admin, "", {}),
        ("another site's form", (403, None), admin, csrf, {"origin": "https://evil.example"}), ("no cookie", (403, None), admin, csrf, {"cookie": ""}),
        ("an admin's key", (303, overview), admin, csrf, {}),
    ]:
        form = urlencode({"key": key, "csrf": token}).encode()
        headers = {"content-type": "application/x-www-form-urlencoded", "cookie": cookie} | more
        check(f"a login with {what}", expected, leads(server.ask("POST", "/console/login", form, headers)))


def leads(answer) -> tuple:
    return answer.status, answer.headers.get("location")


def keys_changed(server: Server, key: str, status: int) -> None:
    """Waits until a request with this key gets another status, since the keys have just changed."""
    changed = time.monotonic()
    while True:
        asked = time.monotonic()
        found = server.ask("GET", f"{PATH}/KEY", headers={"x-api-key": key}).status
        if found == status:
            return
        if asked > changed + KEYS:
            raise Failed(f"{KEYS} s after the keys changed: expected {status}, found {found}")
        time.sleep(0.02)


def secrets(oms: Path, folder: Path) -> None:
    """Once there is an API key, every request needs one."""
    server = Server(oms, folder)
    intake, admin = server.key("shop"), server.key("ann", "admin")
    gone, elsewhere = server.key("gone"), server.key("shop", state=folder / "elsewhere")
    server.run("keys", "revoke", PIPELINE, "gone", "--state-dir", server.state)
    try:
        server.start()
        found = Hostile(server)
        for what, headers in {"an intake key": {"x-api-key": intake}, "an admin's key": {"x-api-key": admin}, "a bearer": {"authorization": f"bearer  {intake}"},
                              "a key and another host name": {"x-api-key": intake, "host": "evil.example"}}.items():
            found.expect(what, {200, 201}, server.put(order("KEY"), headers), "KEY")
            found.expect(f"{what}, GET", 200, server.ask("GET", f"{PATH}/KEY", headers=headers))
        wrong = intake[:-1] + ("0" if intake[-1] != "0" else "1")
        for what, headers in {
            "no key": {}, "a wrong key": {"x-api-key": wrong}, "another state's key": {"x-api-key": elsewhere}, "a revoked key": {"x-api-key": gone},
            "half a key": {"x-api-key": intake[:20]}, "an empty key": {"x-api-key": ""}, "a key of 20 kB": {"x-api-key": "oms_" + "a" * 20_000},
            "a key that is not text": {"x-api-key": "\xff"}, "a key in upper case": {"x-api-key": intake.upper()}, "a key with an extra character": {"x-api-key": f"{intake}0"},
            "a wrong key and a valid one": {"x-api-key": wrong, "authorization": f"Bearer {intake}"}, "Basic": {"authorization": f"Basic {intake}"},
            "an empty bearer token": {"authorization": "Bearer"}, "two keys in one header": {"x-api-key": f"{intake}, {intake}"}, "only the id": {"x-api-key": intake[:17]},
        }.items():
            for how, answer in {"PUT": server.put(order("NOKEY"), headers), "POST": server.ask("POST", PATH, written(order("NOKEY")), headers),
                                "GET": server.ask("GET", f"{PATH}/KEY", headers=headers)}.items():
                found.expect(f"{how} with {what}", 401, answer)
                if not answer.headers.get("www-authenticate") or b"KEY" in answer.body:
                    raise Failed(f"{how} with {what}: {answer.headers} {answer.body!r}")
        found.expect("a key in the query", 401, server.ask("PUT", f"{PATH}/NOKEY?x-api-key={intake}", written(order("NOKEY"))))
        console(server, intake, admin)
        with server.connect() as connection:
            connection.send(found.head("NOKEY", f"Content-Length: {ORDER_MAX}", "Expect: 100-continue"))
            check("without a key, the server does not ask for the body", 401, connection.answer().status)
        server.run("keys", "revoke", PIPELINE, "shop", "--state-dir", server.state)
        keys_changed(server, intake, 401)
        found.expect("a key a second after it was revoked", 401, server.put(order("NOKEY"), {"x-api-key": intake}))
        keys = sqlite3.connect(server.state / "oms.db", timeout=10)
        with keys:
            keys.execute("alter table oms_keys rename column digest to other")
        keys_changed(server, admin, 503)
        answer = server.put(order("NOKEY"), {"x-api-key": admin})
        found.expect("keys that cannot be read", 503, answer)
        check("Retry-After", "1", answer.headers.get("retry-after"))
        with keys:
            keys.execute("alter table oms_keys rename column other to digest")
        keys.close()
        keys_changed(server, admin, 200)
        found.expect("keys that can be read again", 200, server.put(order("KEY"), {"x-api-key": admin}))
        check("only the order with a key is stored", ["KEY"], server.stored()["runs"])
        check("the exit code of the server", 0, server.stop())
    finally:
        if server.lives():
            server.kill()


def vanished(hostile: Hostile) -> None:
    """Clients that disconnect before the answer can send the order again to make sure that it is stored."""
    keys = [hostile.fresh() for _ in range(100)]
    for key in keys:
        with hostile.server.connect() as connection:
            connection.send(request(hostile.server.port, "PUT", f"{PATH}/{key}", written(order(key))))
    for key in keys:
        answer = hostile.server.put(order(key))
        if answer.status not in (200, 201):
            raise Failed(f"an order of a client that disconnected: {answer.status}")
        hostile.accepted.add(key)
    print(f"ok    {len(keys)} orders of clients that disconnected before the answer were sent again", flush=True)


def aftermath(hostile: Hostile, files: int) -> None:
    server = hostile.server
    check("the server is alive", True, server.lives())
    check("the server is ready", 200, server.ask("GET", "/readyz").status)
    begun = time.monotonic()
    key = hostile.fresh()
    hostile.expect("the server accepts an order", 201, server.put(order(key), {"prefer": "wait=5"}), key)
    check("the order takes a normal time", True, time.monotonic() - begun < 0.5)
    # Besides HTTP connections, the server opens up to four connections to its database, with two files each.
    until("the server to close connections", lambda: server.files() <= files + 8, 2 * HEADERS)
    print(f"ok    {server.files()} files are open, {files} at the beginning", flush=True)
    server.settle()
    stored, runs = server.stored(), server.runs()
    expected = sorted(hostile.accepted | {hostile.parked})
    check(f"the {len(expected)} runs are the accepted orders", (True, True), (stored["runs"] == expected, sorted(runs) == expected))
    check("smuggled orders", 0, stored["runs"].count(SMUGGLED))
    completed = sorted(key for key, state in runs.items() if state == "completed")
    print(f"ok    {len(completed)} runs are completed", flush=True)
    for name in ("bills", "objects"):
        check(f"{name}: exactly one for each completed order", True, [key for key in stored[name] if runs[key] == "completed"] == completed and len(set(stored[name])) == len(stored[name]))
    check("mails: no repetitions", len(set(stored["mails"])), len(stored["mails"]))
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    check("5xx in the metrics", [], [line for line in lines if line.startswith("oms_http_requests_total") and 'status="5' in line])
    agree(server)
    check("a panic in the log of the server", False, server.said_of_itself("panicked"))
    now, peak = server.memory()
    check(f"the memory, {now} MB with a peak of {peak} MB, stayed below {MEMORY_MAX} MB", True, peak < MEMORY_MAX)
    check("the exit code of the server", 0, server.stop())


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--corpus", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        server = Server(args.oms, Path(name))

        def everything() -> None:
            begun = time.monotonic()
            server.start()
            until("the search index to open its files", lambda: (server.state / "search.db-shm").exists())
            files = server.files()
            hostile = Hostile(server)
            waiting = slow(hostile)
            for part in (sizes, truncated, chunks, pipelined, framing, heads, keys, kinds, methods, hosts, proxies, old, together, vanished):
                part(hostile)
            bodies(hostile, args.corpus)
            secrets(args.oms, Path(name) / "secrets")
            for kind in waiting:
                kind.judge()
            aftermath(hostile, files)
            print(f"hostile: all checks passed in {time.monotonic() - begun:.0f} s", flush=True)

        return play(server, everything)


if __name__ == "__main__":
    sys.exit(main())

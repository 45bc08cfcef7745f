"""Attacks `oms serve` with each kind of hostile client in turn, and prints what each kind costs the server and other clients.

    python attacks_http.py [--oms FILE] [--only TEXT]

While a kind attacks, an ordinary client puts an order every 50 ms. The program checks for each kind

- the responses that the hostile clients receive,
- the server's peak memory and CPU time, and that the server closes all of their connections after the attack,
- that the server accepts each ordinary order, and how long that takes compared with the time before the attack.

At the end, the database must hold each accepted order exactly once.
"""

import os
import re
import resource
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from urllib.parse import quote

from clients import CLOSED, Kind, attack
from mail_servers import KINDS as MAIL_KINDS
from mail_servers import MailServer
from server import ORDER_MAX, PATH, PIPELINE, ROOT, Connection, Failed, Server, agree, arguments, check, order, run_test, request, until, written

# Maximum memory of the server in megabytes.
MEMORY_MAX = 300
# Seconds between two ordinary orders.
BETWEEN = 0.05
# Maximum median time of an ordinary order during an attack: a multiple of the time before it, plus seconds.
TIMES, MORE = 10, 0.05
# Seconds after the end of an attack within which the server must close all of its connections.
CLOSES = 5
# Seconds that an ordinary client waits for a response.
TIMEOUT = 10
# Tolerance for the time of a queue of requests, because other programs use the same cores.
CROWDED = 2
# Number of sockets that ordinary orders may use while the program counts the connections of an attack.
SPARE = 2
# Maximum CPU seconds of the server for clients that do almost nothing.
IDLE_CPU = 1.5
CONSOLE = "/console/storefront"


def get(load, target: str, *lines: str, method: str = "GET") -> bytes:
    head = [f"{method} {target} HTTP/1.1", f"Host: 127.0.0.1:{load.port}", *lines]
    return "".join(f"{line}\r\n" for line in [*head, ""]).encode("latin-1")


def put(load, key: str, *lines: str) -> bytes:
    """Returns the head of the request of an order."""
    return get(load, f"{PATH}/{key}", "Content-Type: application/json", *lines, method="PUT")


def asks(target: str, *lines: str, method: str = "GET", times: int = 1):
    return lambda load, name: (get(load, target, *lines, method=method) * times, None)


def raw(data: bytes):
    return lambda load, name: (data, None)


def heads(*lines: str, then: bytes = b"", whole: bool = True):
    """Starts the request of an order and never completes it."""
    return lambda load, name: (put(load, name, *lines)[: None if whole else -2] + then, None)


def bodies(body, *lines: str):
    """Puts a body that is not a valid order."""
    def sends(load, name: str) -> tuple:
        data = body(name) if callable(body) else body
        return put(load, name, f"Content-Length: {len(data)}", *lines) + data, None

    return sends


def small(name: str) -> bytes:
    return written(order(name))


def padded(name: str) -> bytes:
    return written(order(name)).ljust(ORDER_MAX)


def orders(body=small, *lines: str):
    """Puts valid orders."""
    def sends(load, name: str) -> tuple:
        data = body(name)
        return put(load, name, f"Content-Length: {len(data)}", *lines) + data, name

    return sends


def many_members(name: str) -> bytes:
    """Returns an order with many additional members."""
    more = ",".join(f'"k{at}":1' for at in range(20_000))
    return written(order(name))[:-1] + b"," + more.encode() + b"}"


def colliding(name: str) -> bytes:
    """Returns an order whose additional members all have the same hash where the hash function is `31 * hash + character` (`Aa` and `BB` collide)."""
    names = ("".join(("Aa", "BB")[at >> bit & 1] for bit in range(13)) for at in range(1 << 13))
    return written(order(name))[:-1] + b"," + ",".join(f'"{name}":1' for name in names).encode() + b"}"


def session(port: int) -> dict:
    """Starts a session of the console and returns its cookie and CSRF token."""
    with Connection(port) as connection:
        page = connection.request("GET", "/console/login")
    csrf = re.search(rb'name="csrf" value="([^"]+)"', page.body)[1].decode()
    return {"cookie": page.headers["set-cookie"].split(";")[0], "csrf": csrf}


def form(target: str, fields: str):
    """Sends a form of the console."""
    def sends(load, name: str) -> tuple:
        body = f"csrf={load.context['csrf']}&{fields}".encode()
        kind = "Content-Type: application/x-www-form-urlencoded"
        return get(load, target, kind, f"Cookie: {load.context['cookie']}", f"Content-Length: {len(body)}", method="POST") + body, None

    return sends


def conflicts(load, name: str) -> tuple:
    """Puts different large orders under the same key."""
    body = many_members(f"{load.prefix}-SAME").replace(b":1,", f":{load.number},".encode())
    return put(load, f"{load.prefix}-SAME", f"Content-Length: {len(body)}") + body, f"{load.prefix}-SAME"


def pages(load, name: str) -> tuple:
    """Requests one page of the console after the other."""
    return get(load, f"{CONSOLE}/{('', 'live', 'runs', 'audit', 'parked')[load.number % 5]}"), None


LONG = "a" * 30_000
CHUNKED = "Transfer-Encoding: chunked"
LENGTH = f"Content-Length: {ORDER_MAX}"
SLOW = {"connections": 500, "again": False, "idle": True}
KINDS = [
    # Slow clients.
    Kind("slow headers", heads(whole=False), drip=b"X-A: b\r\n", **SLOW),
    Kind("slow body", heads(LENGTH), drip=b" ", **SLOW),
    Kind("slow chunks", heads(CHUNKED), drip=b"1\r\n \r\n", **SLOW),
    Kind("slow chunk extensions", heads(CHUNKED, then=b"5;"), drip=b"x", **SLOW),
    Kind("Expect: 100-continue and no body", heads(LENGTH, "Expect: 100-continue"), {100}, **SLOW),
    Kind("connections that say nothing", raw(b""), **SLOW),
    Kind("10,000 idle connections", asks("/healthz"), {200}, may={CLOSED}, connections=10_000, again=False, reopens=False, rate=2_000),
    Kind("pages are never read", asks(f"{CONSOLE}/", times=20), connections=10, seconds=2, reads=False),
    Kind("the overview is never read", asks(f"{CONSOLE}/live", times=20), connections=10, seconds=2, reads=False),
    Kind("responses are never read, for long", asks("/console/console.css", times=2_000), connections=50, reads=False, reopens=False, seconds=32, closed=True),
    # Large and endless requests.
    Kind("endless headers", heads(whole=False), {431}, may={CLOSED}, endless=b"X-A: b\r\n" * 2_000, connections=50, heavy=True),
    Kind("an endless request line", raw(b"GET /"), {431}, may={414, CLOSED}, endless=b"a" * 16_000, connections=50, heavy=True),
    Kind("an endless body", heads(f"Content-Length: {1 << 40}"), {413}, may={CLOSED}, endless=b" " * (1 << 16), connections=50, heavy=True),
    Kind("endless chunks", heads(CHUNKED), {413}, may={CLOSED}, endless=b"1000\r\n" + b"x" * 4096 + b"\r\n", connections=50, heavy=True),
    Kind("a huge chunk", heads(CHUNKED, then=b"FFFFFFFFFFFFFFF\r\n"), {413}, may={CLOSED}, endless=b"x" * (1 << 16), connections=50, heavy=True),
    Kind("a chunk size that overflows", heads(CHUNKED, then=b"F" * 17 + b"\r\n"), {400}, may={CLOSED}),
    Kind("endless trailers", heads(CHUNKED, then=b"0\r\n"), {400}, may={CLOSED}, endless=b"X-A: b\r\n" * 2_000, connections=50, heavy=True),
    Kind("a query of 30 kB", asks(f"/healthz?{LONG}"), {200}, heavy=True),
    Kind("a key of 30 kB", asks(f"{PATH}/{LONG}"), {404}, heavy=True),
    Kind("If-None-Match of 8 kB", asks("/console/console.css", "If-None-Match: " + ",".join(['"abcdef"'] * 900)), {200}, heavy=True),
    Kind("1,000 ranges", asks("/console/console.css", "Range: bytes=" + ",".join(f"{at}-{at + 1}" for at in range(1_000))), {200}, heavy=True),
    Kind("cookies of 30 kB", asks(f"{CONSOLE}/live", "Cookie: " + "; ".join(["oms_session=1"] * 1_800)), {200}, connections=20, heavy=True),
    # JSON.
    Kind("a compressed bomb", bodies(b"\x1f\x8b\x08" + bytes(200_000), "Content-Encoding: gzip"), {415}, may={CLOSED}),
    Kind("JSON of 100,000 levels", bodies(b'{"items":' + b"[" * 100_000 + b"]" * 100_000 + b"}"), {400}, heavy=True),
    Kind("a member 40,000 times", bodies(b"{" + b'"k":1,' * 39_999 + b'"k":1}'), {400}, connections=10, seconds=2.5, heavy=True),
    Kind("a number of 250,000 digits", bodies(b'{"amount":' + b"9" * 250_000 + b"}"), {400}, connections=50, heavy=True),
    Kind("40,000 faults in an order", bodies(b'{"items":[' + b"{}," * 9_999 + b"{}]}"), {400}, connections=10, seconds=2.5, heavy=True),
    Kind("orders with 20,000 members", orders(many_members), {201}, may={429}, connections=10, seconds=2.5, heavy=True),
    Kind("orders with names of one hash", orders(colliding), {201}, may={429}, connections=20, seconds=2.5, heavy=True),
    Kind("orders of 256 kB", orders(padded), {201}, may={429}, connections=50, heavy=True),
    Kind("other large orders under one key", conflicts, {201, 409}, may={201}, connections=10, seconds=2.5, heavy=True),
    # Frequent requests.
    Kind("orders with Prefer: wait=60", orders(small, "Prefer: wait=60"), {201}, may={429}, connections=1_000, heavy=True),
    Kind("logins with a wrong key", form("/console/login", "key=oms_wrong"), {403}, connections=200, prepare=session),
    Kind("metrics", asks("/metrics"), {200}, connections=50, heavy=True),
    Kind("the API's description", asks("/openapi.json"), {200}, connections=20, heavy=True),
    Kind("unknown methods", asks(f"{PATH}/A", method="BREW"), {405}, heavy=True),
    Kind("no host", raw(b"GET /healthz HTTP/1.1\r\n\r\n"), {421}, may={400}, heavy=True),
    # Connections.
    Kind("5,000 connections that close at once", raw(b"G"), ends="close", most=5_000, seconds=2.5),
    Kind("reset within a request", heads(LENGTH, then=b'{"order_id"'), ends="reset"),
    Kind("reset after an order", orders(), ends="reset", rate=300),
    Kind("half-closed after an order", orders(), {201}, may={CLOSED, 429}, ends="half", again=False, rate=200, heavy=True),
    Kind("HTTP/2", raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)), {CLOSED}),
    Kind("TLS", raw(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + bytes(500)), {400}, may={CLOSED}),
    Kind("NUL bytes", raw(bytes(1_000)), {400}, may={CLOSED}),
    # The console. Its pages cost the most memory, so they come last.
    Kind("visits without a cookie", asks(f"{CONSOLE}/audit"), {200}, connections=20, heavy=True),
    Kind("pages with huge parameters", asks(f"{CONSOLE}/runs?before={'9' * 40}&after=-{(1 << 63) - 1}&from=9999-12-31&to=-9999-01-01&key={'%25' * 3_000}"),
         {200}, connections=20, heavy=True),
    Kind("searches for customers", form(f"{CONSOLE}/runs", f"customer={quote('a e i o ' * 25)}"), {200}, connections=20, prepare=session, heavy=True),
    Kind("HEAD", asks(f"{CONSOLE}/", method="HEAD"), {200}, connections=20, heavy=True),
    Kind("pages for 200 clients", pages, {200}, connections=200, seconds=3, heavy=True),
]
# For a server whose mail server never replies, so no run ends.
OPEN_RUNS = [
    Kind("700 orders wait for runs that do not end", orders(small, "Prefer: wait=60"), connections=700, again=False, seconds=2),
    Kind("more open runs than may run at once", orders(small), may={201, 429}, connections=400, again=False, seconds=2),
]


class Ordinary(threading.Thread):
    """Puts an order every 50 ms, each on a new connection, until `end` is called or the count is reached."""

    def __init__(self, server: Server, prefix: str, count: int | None = None):
        super().__init__(daemon=True)
        self.server, self.prefix, self.count, self.ends, self.times, self.statuses, self.failure = server, prefix, count, threading.Event(), [], {}, None

    def run(self) -> None:
        try:
            while not self.ends.is_set() and (self.count is None or len(self.times) < self.count):
                key = f"{self.prefix}-{len(self.times)}"
                begun = time.monotonic()
                self.statuses[key] = 0
                with self.server.connect(TIMEOUT) as connection:
                    self.statuses[key] = connection.put(order(key)).status
                self.times.append(time.monotonic() - begun)
                self.ends.wait(BETWEEN)
        except Exception as failure:  # reported by the thread that waits for this one
            self.failure = failure

    def end(self) -> None:
        self.ends.set()
        self.join()


class Arena:
    """A server under attack, and the keys of the orders that it must hold."""

    def __init__(self, server: Server):
        self.server, self.accepted, self.unsure, self.faults, self.kinds, self.peak = server, [], [], 0, 0, 0
        self.calm = self.sockets()

    def cpu(self) -> float:
        fields = Path(f"/proc/{self.server.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def ordinary(self, name: str, count: int | None = None) -> Ordinary:
        thread = Ordinary(self.server, name, count)
        thread.start()
        return thread

    def judge(self, thread: Ordinary, wrong: list) -> float:
        """Checks the ordinary orders and returns their median time."""
        if thread.failure:
            wrong.append(f"an ordinary order: {thread.failure!r}")
        self.accepted += [key for key, status in thread.statuses.items() if status == 201]
        self.unsure += [key for key, status in thread.statuses.items() if not status]
        others = {status for status in thread.statuses.values() if status not in (0, 201)}
        if others:
            wrong.append(f"ordinary orders got {others}")
        return statistics.median(thread.times) if thread.times else 0

    def sockets(self) -> int:
        folder, count = f"/proc/{self.server.process.pid}/fd", 0
        for name in os.listdir(folder):
            try:
                count += os.readlink(f"{folder}/{name}").startswith("socket:")
            except FileNotFoundError:
                pass
        return count

    def run(self, kind: Kind, number: int) -> None:
        server, wrong = self.server, []
        calm = self.ordinary(f"C{number}", 6)
        calm.join()
        before = self.judge(calm, wrong)
        # On Linux this resets the peak of the memory.
        Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")
        memory, cpu, begun, held = server.memory()[0], self.cpu(), time.monotonic(), 0
        process, result = attack(kind, number, server.port)
        beside = self.ordinary(f"B{number}")
        while not result.poll(0.1):
            held = self.sockets() if kind.closed else 0
            if not process.is_alive():
                raise Failed(f"the process of the attack `{kind.name}` ended")
        found, accepted, unsure, opened = result.recv()
        ended = time.monotonic()
        while self.sockets() > self.calm and time.monotonic() < ended + 2 * CLOSES:
            time.sleep(0.02)
        closes, used, peak = time.monotonic() - ended, self.cpu() - cpu, server.memory()[1]
        beside.end()
        took = time.monotonic() - begun
        process.join()
        self.accepted += accepted
        self.unsure += unsure
        median = self.judge(beside, wrong)
        answered = sum(count for status, count in found.items() if status != CLOSED)
        # A new order waits until the server has answered one request of each hostile connection.
        queue = CROWDED * kind.connections * used / (answered + kind.connections) / (os.cpu_count() or 1) if kind.heavy else 0
        limit = TIMES * before + MORE + queue
        self.peak = max(self.peak, peak)
        limits = {
            "megabytes": (MEMORY_MAX, peak),
            "the median time of ordinary orders in seconds": (limit, median),
            "seconds to close the connections": (min(CLOSES + queue, 2 * CLOSES - 1), closes),
            "CPU seconds": (IDLE_CPU if kind.idle else (os.cpu_count() or 1) * took + 1, used),
        }
        for what, (most, value) in limits.items():
            if value > most:
                wrong.append(f"{what}: at most {most:.3g}, found {value:.3g}")
        if kind.closed and held > self.calm + SPARE:
            wrong.append(f"the server has {held} sockets and had {self.calm}: it did not close the connections")
        outcomes = set(found)
        if kind.answers - outcomes or outcomes - kind.answers - kind.may:
            wrong.append(f"outcomes: expected {kind.answers or 'none'}, possibly {kind.may or 'no other'}, found {found}")
        self.kinds += 1
        self.faults += bool(wrong)
        answers = ", ".join(f"{count} × {status}" for status, count in sorted(found.items(), key=str)) or "no answer"
        print(f"{'FAIL ' if wrong else 'ok   '} {kind.name:42} {opened:5} opened, {answers:26} {memory:3} → {peak:3} → {server.memory()[0]:3} MB "
              f"{used:5.1f} s of CPU {took:5.1f} s, closed after {closes:3.1f} s; an order {before * 1000:3.0f} → {median * 1000:3.0f} ms "
              f"(limit {limit * 1000:3.0f}), at most {max(beside.times, default=0) * 1000:4.0f} ms", flush=True)
        for fault in wrong:
            print(f"      {fault}", flush=True)

    def resolve(self) -> None:
        """Looks up the orders whose response no client has read, because the server may have stored them."""
        with self.server.connect() as connection:
            for key in self.unsure:
                status = connection.request("GET", f"{PATH}/{key}").status
                if status not in (200, 404):
                    raise Failed(f"the order {key}: {status}")
                self.accepted += [key] if status == 200 else []


def open_runs(oms: Path, folder: Path, kinds: list, arena: Arena) -> None:
    """Attacks a server whose runs do not end, because the mail server never replies."""
    silent = MailServer(MAIL_KINDS["silence at connect"])
    (folder / "pipelines").mkdir()
    (folder / "pipelines/storefront").symlink_to(PIPELINE.with_suffix(""))
    (folder / "templates").symlink_to(ROOT / "templates")
    smtp = f"smtp: {{ host: localhost, port: {silent.port}, security: none, timeout_seconds: 600 }} }}"
    text = PIPELINE.read_text().replace("locale: en }", f"locale: en, {smtp}")
    (folder / "pipelines/storefront.yaml").write_text(text)
    server = Server(oms, folder / "open", folder / "pipelines/storefront.yaml")
    server.state.parent.mkdir()
    try:
        server.start("--mail", "smtp")
        until("the search index to open its files", lambda: (server.state / "search.db-shm").exists())
        other = Arena(server)
        # The default number of connections to the mail server.
        other.calm += 4
        for number, kind in enumerate(kinds):
            other.run(kind, number)
        arena.kinds, arena.faults, arena.peak = arena.kinds + other.kinds, arena.faults + other.faults, max(arena.peak, other.peak)
        other.resolve()
        check("these runs are the accepted orders, each once", True, server.stored()["runs"] == sorted(set(other.accepted)))
        check("no run has ended", {"in_progress"}, set(server.runs().values()))
        check("a panic in the log of the server", False, server.log_contains("panicked"))
    finally:
        silent.close()
        if server.lives():
            server.kill()


def check_afterwards(arena: Arena) -> None:
    server = arena.server
    server.wait_until_idle()
    arena.resolve()
    stored, runs = server.stored(), server.runs()
    check(f"the {len(runs)} runs are the accepted orders, each once", True, stored["runs"] == sorted(set(arena.accepted)))
    check("all of them are completed", {"completed"}, set(runs.values()))
    for table in ("bills", "mails", "objects"):
        check(f"{table}: exactly one for each order", True, stored[table] == stored["runs"])
    lines = server.ask("GET", "/metrics").body.decode().splitlines()
    check("5xx in the metrics", [], [line for line in lines if line.startswith("oms_http_requests_total") and 'status="5' in line])
    agree(server, pages=False)
    check("a panic in the log of the server", False, server.log_contains("panicked"))
    check("the exit code of the server", 0, server.stop())


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--only", default="", help="only the kinds whose name contains this text")
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as folder:
        server = Server(args.oms, Path(folder))

        def everything() -> None:
            begun = time.monotonic()
            server.start()
            until("the search index to open its files", lambda: (server.state / "search.db-shm").exists())
            arena = Arena(server)
            for number, kind in enumerate(KINDS):
                if args.only in kind.name:
                    arena.run(kind, number)
            if kinds := [kind for kind in OPEN_RUNS if args.only in kind.name]:
                open_runs(args.oms, Path(folder), kinds, arena)
            check_afterwards(arena)
            print(f"attacks: {arena.kinds} kinds of clients, {arena.faults} failed; at most {arena.peak} MB; {time.monotonic() - begun:.0f} s in total", flush=True)
            if arena.faults:
                raise Failed(f"{arena.faults} kinds of clients failed")

        return run_test(server, everything)


if __name__ == "__main__":
    sys.exit(main())

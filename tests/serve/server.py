"""`oms serve` as a child process: helpers to start and stop it, to send exact bytes to it, and to read its database directly."""

import argparse
import html
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PIPELINE = ROOT / "pipelines/storefront.yaml"
SAMPLES = ROOT / "pipelines/storefront/samples"
PATH = "/storefront/order"
# The pipeline's limit for an order.
ORDER_MAX = 256 << 10
# Default timeout in seconds.
TIMEOUT = 60


class Failed(Exception):
    pass


def check(what: str, expected, found) -> None:
    """Compares the found value with the expected one, or with a set of allowed values."""
    several = isinstance(expected, set) and not isinstance(found, set)
    if found not in expected if several else found != expected:
        raise Failed(f"{what}: expected {expected!r}, found {found!r}")
    text = repr(found)
    print(f"ok    {what}: {text if len(text) < 100 else f'{text[:100]} …'}", flush=True)


def until(what: str, reached, timeout: float = TIMEOUT) -> None:
    end = time.monotonic() + timeout
    while not reached():
        if time.monotonic() > end:
            raise Failed(f"waiting for {what} took more than {timeout} s")
        time.sleep(0.02)


def samples() -> list:
    """The storefront's sample orders. All of them complete."""
    return [json.loads(path.read_bytes()) for path in sorted(SAMPLES.glob("*.json"))]


def order(key: str, **changes) -> dict:
    """A small order with this key."""
    return samples()[0] | {"order_id": key} | changes


def written(order: dict) -> bytes:
    return json.dumps(order, ensure_ascii=False, separators=(",", ":")).encode()


class Closed(Exception):
    """The server closed the connection instead of sending an answer."""


class Answer:
    """An HTTP response: its status, its headers by lower-case name, and its body."""

    def __init__(self, status: int, headers: dict, body: bytes):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Connection:
    """A connection that sends any bytes, valid or not, and parses answers strictly."""

    def __init__(self, port: int, timeout: float = TIMEOUT):
        self.port = port
        self.socket = socket.create_connection(("127.0.0.1", port), timeout)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.left = b""

    def send(self, data: bytes) -> None:
        """Sends bytes. The server may close the connection before it has received all of them."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def more(self) -> bytes:
        try:
            return self.socket.recv(1 << 16)
        except ConnectionResetError:
            return b""

    def line(self) -> bytes:
        while b"\r\n" not in self.left:
            data = self.more()
            if not data:
                if self.left:
                    raise Failed(f"an answer ends in the middle of a line: {self.left[:80]!r}")
                raise Closed
            self.left += data
        line, self.left = self.left.split(b"\r\n", 1)
        return line

    def exactly(self, count: int) -> bytes:
        while len(self.left) < count:
            data = self.more()
            if not data:
                raise Failed(f"an answer ends after {len(self.left)} of {count} bytes")
            self.left += data
        body, self.left = self.left[:count], self.left[count:]
        return body

    def answer(self, to_head: bool = False) -> Answer:
        version, status, *_ = self.line().split(b" ")
        if version not in (b"HTTP/1.1", b"HTTP/1.0"):
            raise Failed(f"an answer begins with {version!r}")
        headers = {}
        while line := self.line():
            name, value = line.decode("latin-1").split(":", 1)
            headers[name.lower()] = value.strip()
        bodiless = to_head or int(status) in (204, 304) or int(status) < 200
        length = 0 if bodiless else int(headers.get("content-length", 0))
        if headers.get("transfer-encoding"):
            raise Failed("an answer is chunked; no answer needs to be")
        return Answer(int(status), headers, self.exactly(length))

    def request(self, method: str, target: str, body: bytes | None = None, headers: dict | None = None) -> Answer:
        self.send(request(self.port, method, target, body, headers))
        return self.answer(to_head=method == "HEAD")

    def put(self, order: dict, headers: dict | None = None) -> Answer:
        return self.request("PUT", f"{PATH}/{order['order_id']}", written(order), headers)

    def ended(self, timeout: float = TIMEOUT) -> bool:
        """Waits until the server closes the connection. Returns whether it did so without sending anything more."""
        self.socket.settimeout(timeout)
        try:
            data = self.left + self.more()
        except TimeoutError:
            return False
        return not data

    def close(self) -> None:
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def request(port: int, method: str, target: str, body: bytes | None = None, headers: dict | None = None) -> bytes:
    """A valid request. `headers` replace or extend its headers; a header with the value None is left out."""
    whole = {"host": f"127.0.0.1:{port}"}
    if body is not None:
        whole |= {"content-type": "application/json", "content-length": str(len(body))}
    whole |= headers or {}
    lines = [f"{name}: {value}\r\n" for name, value in whole.items() if value is not None]
    return f"{method} {target} HTTP/1.1\r\n{''.join(lines)}\r\n".encode("latin-1") + (body or b"")


class Server:
    """`oms serve` with a pipeline and a state directory. The default pipeline is the storefront."""

    def __init__(self, oms: Path, folder: Path, pipeline: Path = PIPELINE):
        self.oms, self.pipeline, self.state, self.log = oms, pipeline, folder / "state", folder / "server.log"
        self.process, self.port = None, 0
        # Additional environment variables.
        self.variables = {}

    def start(self, *words, wait: bool = True) -> None:
        command = [self.oms, "serve", self.pipeline, "--state-dir", self.state, "--listen", "127.0.0.1:0", *words]
        with open(self.log, "ab") as log:
            environment = {**os.environ, **self.variables}
            self.process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, stderr=log, text=True, env=environment)
        if wait:
            self.ready()

    def ready(self) -> None:
        line = self.process.stdout.readline()
        if not line.startswith(("PUT http://127.0.0.1:", "POST http://127.0.0.1:")):
            raise Failed(f"the server did not start: {line!r}; {self.log.read_text(errors='replace')[-2000:]}")
        self.port = int(line.split(":")[2].split("/")[0])

    def lives(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """Kills the process, as a crash would."""
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def stop(self, timeout: float = 25) -> int:
        """Stops the server with SIGTERM and returns the exit code."""
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failed(f"the server did not stop within {timeout} s") from None
        self.process.stdout.close()
        return code

    def connect(self, timeout: float = TIMEOUT) -> Connection:
        return Connection(self.port, timeout)

    def ask(self, method: str, target: str, body: bytes | None = None, headers: dict | None = None) -> Answer:
        """Sends a request on a new connection."""
        with self.connect() as connection:
            return connection.request(method, target, body, headers)

    def put(self, order: dict, headers: dict | None = None) -> Answer:
        with self.connect() as connection:
            return connection.put(order, headers)

    def memory(self) -> tuple:
        """Current and peak memory in megabytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return tuple(int(fields[name].split()[0]) // 1024 for name in ("VmRSS", "VmHWM"))

    def files(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def log_contains(self, needle: str) -> bool:
        return needle in self.log.read_text(errors="replace")

    def run(self, *words) -> str:
        command = [str(word) for word in [self.oms, *words]]
        return subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True).stdout

    def runs(self) -> dict:
        """The states of all runs by key, as `oms runs list` reports them."""
        listed = json.loads(self.run("runs", "list", self.pipeline, "--state-dir", self.state, "--format", "json", "--limit", 1_000_000))
        return {run["key"]: run["state"] for run in listed["runs"]}

    def key(self, name: str, scope: str = "intake", state: Path | None = None) -> str:
        """Creates an API key."""
        return self.run("keys", "add", self.pipeline, name, "--scope", scope, "--state-dir", state or self.state).strip()

    def query(self, sql: str) -> list:
        database = sqlite3.connect(f"file:{self.state}/oms.db?mode=ro", uri=True, timeout=TIMEOUT)
        try:
            return database.execute(sql).fetchall()
        finally:
            database.close()

    def stored(self) -> dict:
        """The keys in each table, with repetitions. A completed order has one row in each of them."""
        of = "(select key from oms_runs where id = run)"
        sources = {
            "runs": "select key from oms_runs",
            "bills": "select order_id from billing_data",
            "mails": f"select {of} from oms_mails",
            "objects": "select substr(key, 1, length(key) - 5) from oms_objects where bucket = 'orders'",
        }
        return {name: sorted(key for (key,) in self.query(sql)) for name, sql in sources.items()}

    def page(self, connection: Connection, path: str) -> str:
        """A page of the console. Without API keys, the console requires no login."""
        answer = connection.request("GET", f"/console/{self.pipeline.stem}{path}")
        if answer.status != 200:
            raise Failed(f"the page {path} has the status {answer.status}")
        return answer.body.decode()

    def listed(self, connection: Connection, path: str) -> list:
        """The keys on all pages of runs, newest first."""
        keys = []
        while path:
            page = self.page(connection, path)
            keys += [html.unescape(key) for key in re.findall(r'<th role="rowheader"[^>]*><a [^>]*><bdi>([^<]*)</bdi>', page)]
            onward = re.search(r'rel="next" href="/console/[^/]+([^"]+)"', page)
            path = html.unescape(onward[1]) if onward else None
        return keys

    def wait_until_idle(self, timeout: float = TIMEOUT) -> None:
        """Waits until every run has ended or is parked."""
        open_runs = "select count(*) from oms_runs where state in ('in_progress', 'waiting')"
        until("all runs to end", lambda: self.query(open_runs) == [(0,)], timeout)


def agree(server: Server, pages: bool = True) -> None:
    """Compares the counts of the database, `oms runs list`, the console and the metrics. With `pages`, also compares the lists in the console."""
    counts = dict(server.query("select state, count(*) from oms_runs group by state"))
    of = lambda *states: {state: count for state in states if (count := counts.get(state, 0))}
    states = ("in_progress", "waiting", "parked", "completed", "cancelled")
    check("the database has only runs in known states", True, of(*states) == counts)
    command = ("runs", "list", server.pipeline, "--state-dir", server.state, "--format", "json", "--limit", 1)
    check("`oms runs list` counts the same", counts, json.loads(server.run(*command))["all"])
    with server.connect() as connection:
        tiles = dict(re.findall(r"<dt>(?:<a [^>]*>)?([^<]+)(?:</a>)?</dt><dd>([0-9,]+)</dd>", server.page(connection, "/live")))
        shown = {name.lower().replace(" ", "_"): int(count.replace(",", "")) for name, count in tiles.items()}
        check("the console counts the same", counts, {state: shown[state] for state in states if shown[state]})
        check("the console's total", sum(counts.values()), shown["accepted"])
        lines = connection.request("GET", "/metrics").body.decode().splitlines()
        measured = {line.split('state="')[1].split('"')[0]: int(line.split()[-1]) for line in lines if line.startswith("oms_runs_open")}
        check("the metrics count the same", of("in_progress", "waiting", "parked"), {state: count for state, count in measured.items() if count})
        if pages:
            keys = sorted(key for (key,) in server.query("select key from oms_runs"))
            check(f"the console lists the {len(keys)} runs, each once", True, sorted(server.listed(connection, "/runs")) == keys)
            for state, count in counts.items():
                check(f"the console's list of {state} runs", count, len(server.listed(connection, f"/runs?state={state}")))


def arguments(doc: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oms", type=Path, default=ROOT / "target/release/oms", help="path of the program")
    return parser


def run_test(server: Server, test) -> int:
    """Runs a test on a server and returns the exit code."""
    try:
        test()
    except Failed as failed:
        print(f"FAIL  {failed}", flush=True)
        for line in server.log.read_text(errors="replace").splitlines()[-10:] if server.log.exists() else []:
            print(f"      {line[:400]}")
        return 1
    finally:
        if server.lives():
            server.kill()
    return 0

"""How fast and how large the handlers' programs are: cold start, memory, and the time of an invocation.

    python cold_start.py --program NAME=PATH [--program ...] [--event NAME=FILE ...] [--order FILE]
        [--env [NAME:]VAR=VALUE ...] [--runs 30] [--invocations 200] [--python] [--json]

`--program` is a bootstrap for `provided.al2023`, `--event` what it is invoked with; without one it is only started. `--order` is
the stored order that S3 gives, whatever it is asked for. `--env` sets a variable, for all programs or for the one with this name.
`--python` measures the start of `origin_bootstrap.py` beside them.

Each program gets a Lambda Runtime API of its own on loopback, and an AWS whose answers are constant. Measured is

* the size of the program, and zipped as it is uploaded;
* the cold start: from just before the program is started until it asks for its first event. It is started once before, so that
  its file is in the page cache; the starts of all programs take turns, so that a busy minute does not hit only one of them;
* its resident memory then (now and at most), and after the invocations;
* the invocation: from just before the event is given until the answer is read. The first one apart: it makes the connections.

So the time of an invocation is the handler's own work and that of loopback, without TLS and without the time that AWS takes. What
the fake AWS itself costs is counted as well: its processor time for each invocation. It is part of the invocation's time. On AWS
Lambda the processor's share depends on the function's memory; here it is a whole one.
"""

import argparse
import contextlib
import io
import json
import os
import re
import selectors
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
import urllib.parse
import zipfile
from collections import Counter
from dataclasses import dataclass, field
from email.utils import formatdate
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PYTHON = ROOT / "target/python/bin/python3"
ORIGIN = Path(__file__).resolve().with_name("origin_bootstrap.py")
INVOCATION = "/2018-06-01/runtime/invocation/"
ARN = "arn:aws:lambda:us-east-1:000000000000:function:"
# How long a program may take to start, or to answer an event.
PATIENCE = 30
# How long an invocation may take as the program is told.
DEADLINE_MS = 60_000
# The memory of a function in the generated template.
MEMORY = 256


class Failed(Exception):
    pass


def listener() -> socket.socket:
    sock = socket.create_server(("127.0.0.1", 0), backlog=64)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def address(sock: socket.socket) -> str:
    host, port = sock.getsockname()
    return f"{host}:{port}"


@dataclass
class Request:
    method: str
    target: str
    headers: dict
    body: bytes


class Connection:
    """A connection of HTTP/1.1, seen from the server."""

    def __init__(self, sock: socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.buffer = sock, b""

    def request(self) -> Request | None:
        """Waits for a request and reads all of it; nothing if the other side closed."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if not self.more():
                return None
        first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "transfer-encoding" in headers or "expect" in headers:
            raise Failed(f"{first!r} comes in a form that is not understood here")
        end += 4
        length = end + int(headers.get("content-length", 0))
        while len(self.buffer) < length:
            if not self.more():
                return None
        body, self.buffer = self.buffer[end:length], self.buffer[length:]
        return Request(method, target, headers, body)

    def more(self) -> bool:
        try:
            part = self.sock.recv(1 << 16)
        except ConnectionError:
            part = b""
        self.buffer += part
        return bool(part)

    def answer(self, status: int, headers: dict, body: bytes) -> None:
        lines = [f"HTTP/1.1 {status} -", *(f"{name}: {value}" for name, value in headers.items()), f"Content-Length: {len(body)}"]
        self.sock.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


class Aws:
    """S3, the RDS Data API, SES and SQS on one port, which always answer the same. Which one is asked stands in the signature."""

    SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
    COLUMN = re.compile(r'cast\("(\w+)"')
    OWNER = re.compile(r"cast\(:p(\d+) as text\), cast\(:p(\d+) as text\)\) on conflict")

    def __init__(self, order: bytes | None):
        self.order, self.sock, self.lock = order, listener(), threading.Lock()
        self.endpoint = f"http://{address(self.sock)}"
        # Requests by service, those of them that sent a message to a queue by its URL, and what could not be answered.
        self.requests, self.sent, self.faults = Counter(), Counter(), []
        self.cost_ns = 0
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self) -> None:
        while True:
            sock, _ = self.sock.accept()
            threading.Thread(target=self.serve, args=(Connection(sock),), daemon=True).start()

    def serve(self, connection: Connection) -> None:
        last = time.thread_time_ns()
        with connection.sock, contextlib.suppress(ConnectionError):
            while request := connection.request():
                found = self.SERVICE.search(request.headers.get("authorization", ""))
                service = found[1] if found else "?"
                with self.lock:
                    self.requests[service] += 1
                try:
                    answer = self.respond(service, request)
                except Exception as error:  # Whatever it is: the measurement ends, and says so.
                    self.faults.append(f"the fake AWS cannot answer {request.method} {request.target} of {service}: {error!r}")
                    answer = (500, {}, b"")
                connection.answer(*answer)
                now = time.thread_time_ns()
                with self.lock:
                    self.cost_ns += now - last
                last = now

    def respond(self, service: str, request: Request) -> tuple:
        what = {"content-type": "application/json"}
        match service, request.method, request.target:
            case "s3", "GET", target if "list-type=2" in target:
                return 200, {"content-type": "application/xml"}, self.listed(target)
            case "s3", "GET", _ if self.order is None:
                return 404, {"content-type": "application/xml"}, b"<Error><Code>NoSuchKey</Code></Error>"
            case "s3", "GET", target:
                stem = Path(urllib.parse.unquote(target.partition("?")[0])).stem
                kept = {"x-amz-meta-oms-name": stem, "x-amz-meta-oms-accepted-at": "2026-01-01T00:00:00Z"}
                return 200, what | kept | {"last-modified": formatdate(usegmt=True), "etag": '"0"'}, self.order
            case "s3", "HEAD", _:
                return 404, {}, b""  # no rates were stored yet
            case "s3", "PUT", _:
                return 200, {"etag": '"0"'}, b""
            case "rds-data", "POST", "/Execute":
                answer = {"numberOfRecordsUpdated": 0, "records": self.records(json.loads(request.body))}
                return 200, what, json.dumps(answer).encode()
            case "ses", "POST", "/v2/email/outbound-emails":
                return 200, what, b'{"MessageId":"x"}'
            case "sqs", "POST", _:
                with self.lock:
                    self.sent[json.loads(request.body).get("QueueUrl")] += 1
                return 200, {"content-type": "application/x-amz-json-1.0"}, b"{}"
        raise LookupError("there is no such answer")

    @staticmethod
    def listed(target: str) -> bytes:
        """One old order, and none behind it."""
        one = "<Contents><Key>NW-1.json</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>"
        return f"<ListBucketResult>{'' if 'start-after=' in target else one}</ListBucketResult>".encode()

    def records(self, statement: dict) -> list:
        """The rows that a statement gives: it is always the first one that does something."""
        sql = statement["sql"]
        bound = [next(iter(parameter["value"].values())) for parameter in statement.get("parameters", [])]
        if "insert into oms_claims as c (" in sql:
            row = [bound[3], "claimed", "true"]
        elif "cast(t.xmax = 0 as text)" in sql:
            run, order = map(int, self.OWNER.search(sql).groups())
            row = ["true", bound[run], bound[order]]
        elif sql.startswith("select ") and ' from "customer_contact_info"' in sql:
            known = {"customer_id": bound[0], "name": "Zoë O'Neill", "email": "zoe@example.com", "locale": "en"}
            row = [known[name] for name in self.COLUMN.findall(sql)]
        else:
            return []
        return [[{"stringValue": text} for text in row]]


@dataclass
class Program:
    name: str
    command: list
    environment: dict
    # What is measured in bytes; nothing for a program that brings no runtime of its own.
    file: Path | None
    event: bytes | None = None
    # Cold starts in ms, and the memory at each of them.
    starts: list = field(default_factory=list)
    memory: list = field(default_factory=list)


class Running:
    """A started program and its Runtime API."""

    def __init__(self, program: Program, log: Path):
        self.program, self.log = program, log
        self.sock = listener()
        self.selector = selectors.DefaultSelector()
        self.selector.register(self.sock, selectors.EVENT_READ)
        command = [str(word) for word in program.command]
        environment = program.environment | {"AWS_LAMBDA_RUNTIME_API": address(self.sock)}
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(log), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ]
        self.begun = time.perf_counter_ns()
        self.pid = os.posix_spawn(command[0], command, environment, file_actions=actions, setsigdef=[signal.SIGPIPE])
        self.end = os.pidfd_open(self.pid)
        self.selector.register(self.end, selectors.EVENT_READ)

    def request(self) -> tuple:
        """The next request, the connection that it came by, and when all of it was there."""
        until = time.monotonic() + PATIENCE
        while ready := self.selector.select(max(until - time.monotonic(), 0)):
            for key, _ in ready:
                if key.fileobj is self.sock:
                    sock, _ = self.sock.accept()
                    self.selector.register(sock, selectors.EVENT_READ, Connection(sock))
                elif key.fileobj == self.end:
                    raise self.failed("it ended")
                else:
                    request, now = key.data.request(), time.perf_counter_ns()
                    if request is not None:
                        return request, key.data, now
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
        raise self.failed(f"it was silent for {PATIENCE} s")

    def next(self) -> tuple:
        """Waits until it asks for an event; the connection that it asked by, and when."""
        request, connection, now = self.request()
        if (request.method, request.target) != ("GET", INVOCATION + "next"):
            raise self.failed(f"{request.method} {request.target}: {request.body.decode(errors='replace')}")
        return connection, now

    def invoke(self, connection: Connection, number: int) -> int:
        """Gives it the event by the connection that it asked by; how many ns it took to answer."""
        name = f"00000000-0000-4000-8000-{number:012d}"
        headers = {
            "Content-Type": "application/json",
            "Lambda-Runtime-Aws-Request-Id": name,
            "Lambda-Runtime-Deadline-Ms": time.time_ns() // 1_000_000 + DEADLINE_MS,
            "Lambda-Runtime-Invoked-Function-Arn": ARN + self.program.name,
            "Lambda-Runtime-Trace-Id": f"Root=1-00000000-{number:024x};Parent=0000000000000001;Sampled=0",
        }
        begun = time.perf_counter_ns()
        connection.answer(200, headers, self.program.event)
        request, connection, now = self.request()
        said = request.body.decode(errors="replace")
        if (request.method, request.target) != ("POST", f"{INVOCATION}{name}/response"):
            raise self.failed(f"it answered with {request.method} {request.target}: {said}")
        connection.answer(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')
        answer = json.loads(said)
        if isinstance(answer, dict) and (answer.get("batchItemFailures") or answer.get("statusCode", 200) >= 300):
            raise self.failed(f"it did not work on the event: {said}")
        return now - begun

    def memory(self) -> dict:
        """Resident memory in KiB: now, and at most until now."""
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return {name: int(lines[name].split()[0]) for name in ("VmRSS", "VmHWM")}

    def failed(self, what: str) -> Failed:
        tail = self.log.read_text(errors="replace")[-2000:]
        return Failed(f"{self.program.name}: {what}\n{tail}".rstrip())

    def close(self) -> None:
        # The handle is that of our child until it is waited for, whatever has become of it.
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self.end, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.end)
        for key in list(self.selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self.selector.close()


def start(program: Program, log: Path) -> None:
    with contextlib.closing(Running(program, log)) as running:
        _, now = running.next()
        program.memory.append(running.memory())
        program.starts.append((now - running.begun) / 1e6)


def warm(program: Program, log: Path, aws: Aws, invocations: int) -> dict:
    """One process, one invocation after the other."""
    with contextlib.closing(Running(program, log)) as running:
        times, dead = [], program.environment.get("OMS_DEAD_LETTERS")
        for number in range(invocations + 1):
            if number == 1:
                requests, cost = aws.requests.copy(), aws.cost_ns
            connection, _ = running.next()
            times.append(running.invoke(connection, number) / 1e6)
            if aws.sent[dead]:
                raise running.failed("the order went to the dead letters")
            if aws.faults:
                raise running.failed("the fake AWS could not answer it")
        running.next()
        made = aws.requests - requests
        first, *others = times
        return {
            "invocations": invocations,
            "first_ms": round(first, 3),
            "median_ms": round(statistics.median(others), 3),
            "p95_ms": round(sorted(others)[-(-95 * invocations // 100) - 1], 3),
            "requests": {service: count / invocations for service, count in sorted(made.items())},
            "aws_ms": round((aws.cost_ns - cost) / 1e6 / invocations, 3),
            "memory_kib": running.memory(),
        }


def size(path: Path) -> dict:
    content, archive = path.read_bytes(), io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as file:
        file.writestr("bootstrap", content)
    return {"program": len(content), "zipped": len(archive.getvalue())}


def measure(programs: list, aws: Aws, args, folder: Path) -> list:
    logs = {program.name: folder / f"{number}.log" for number, program in enumerate(programs)}
    for number in range(args.runs + 1):
        for program in programs:
            start(program, logs[program.name])
            if number == 0:
                program.starts.clear()
                program.memory.clear()
    found = []
    for program in programs:
        done = None if program.event is None else warm(program, logs[program.name], aws, args.invocations)
        found.append({
            "name": program.name,
            "bytes": program.file and size(program.file),
            "cold_ms": {
                "runs": args.runs,
                "median": round(statistics.median(program.starts), 3),
                "min": round(min(program.starts), 3),
                "max": round(max(program.starts), 3),
            },
            "memory_kib": {name: statistics.median(one[name] for one in program.memory) for name in ("VmRSS", "VmHWM")},
            "warm": done,
        })
    return found


def table(found: list) -> str:
    """A row for each program. Sizes in MiB."""
    mib = lambda count, unit=1024: f"{count * unit / (1 << 20):.2f}"  # noqa: E731
    ms = lambda time: f"{time:.2f}"  # noqa: E731
    rows = [
        ["", "size", "", "cold start", "", "", "memory", "", "invocation", "", "", "", "memory", "", ""],
        ["program", "file", "zipped", "median", "min", "max", "now", "most",
         "first", "median", "p95", "fake AWS", "now", "most", "AWS requests"],
        ["", "MiB", "MiB", "ms", "ms", "ms", "MiB", "MiB", "ms", "ms", "ms", "ms", "MiB", "MiB", "each time"],
    ]
    for one in found:
        sizes, cold, memory, done = one["bytes"], one["cold_ms"], one["memory_kib"], one["warm"]
        row = [one["name"], *([mib(sizes[name], 1) for name in ("program", "zipped")] if sizes else ["-"] * 2)]
        row += [ms(cold[name]) for name in ("median", "min", "max")] + [mib(memory[name]) for name in ("VmRSS", "VmHWM")]
        if done:
            row += [ms(done[name]) for name in ("first_ms", "median_ms", "p95_ms", "aws_ms")]
            row += [mib(done["memory_kib"][name]) for name in ("VmRSS", "VmHWM")]
            row.append(", ".join(f"{service} {count:g}" for service, count in done["requests"].items()) or "none")
        else:
            row += ["-"] * 7
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows)]
    texts = lambda row: [word.rjust(width) for word, width in zip(row[1:-1], widths[1:-1])]  # noqa: E731
    return "\n".join("  ".join([row[0].ljust(widths[0]), *texts(row), row[-1]]).rstrip() for row in rows)


def pair(text: str) -> tuple:
    name, sign, value = text.partition("=")
    if not name or not sign:
        raise argparse.ArgumentTypeError(f"`{text}` is no NAME=VALUE")
    return name, value


def count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("it has to be 1 or more")
    return number


def programs(args, aws: Aws) -> list:
    found = [Program(name, [Path(path).resolve()], {}, Path(path)) for name, path in args.program]
    if args.python:
        found.append(Program("python", [PYTHON, ORIGIN], {}, None))
    names = [program.name for program in found]
    limited = [name.split(":")[0] for name, _ in args.env if ":" in name]
    for name in [*(name for name, _ in args.event), *limited]:
        if names.count(name) != 1:
            raise Failed(f"there is no program `{name}`, or more than one")
    for program in found:
        program.environment = {
            "PATH": os.environ["PATH"],
            "AWS_LAMBDA_FUNCTION_NAME": program.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(MEMORY),
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_ENDPOINT_URL": aws.endpoint,
        }
        for name, value in args.env:
            *only, variable = name.split(":", 1)
            if only in ([], [program.name]):
                program.environment[variable] = value
        for name, path in args.event:
            if name == program.name:
                program.event = Path(path).read_bytes()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pair, action="append", default=[], metavar="NAME=PATH")
    parser.add_argument("--event", type=pair, action="append", default=[], metavar="NAME=FILE")
    parser.add_argument("--order", type=Path, metavar="FILE")
    parser.add_argument("--env", type=pair, action="append", default=[], metavar="[NAME:]VAR=VALUE")
    parser.add_argument("--runs", type=count, default=30)
    parser.add_argument("--invocations", type=count, default=200, help="how many after the first one")
    parser.add_argument("--python", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.program and not args.python:
        parser.error("there is no program to measure")
    aws = Aws(args.order and args.order.read_bytes())
    try:
        with tempfile.TemporaryDirectory() as name:
            before = os.getloadavg()[0]
            found = measure(programs(args, aws), aws, args, Path(name))
    except (Failed, OSError) as failed:
        print("\n".join([f"FAIL  {failed}", *aws.faults]), file=sys.stderr)
        return 1
    machine = {"processors": os.cpu_count(), "load_before": before, "load_after": os.getloadavg()[0]}
    if args.json:
        print(json.dumps({"machine": machine, "programs": found}, indent=2))
    else:
        print(table(found))
        print(f"{args.runs} cold starts, {args.invocations} invocations after the first; {machine['processors']} processors, "
              f"load {machine['load_before']:.1f} before and {machine['load_after']:.1f} after")
    return 0


if __name__ == "__main__":
    sys.exit(main())

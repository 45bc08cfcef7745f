"""Measures the handlers' programs: size, cold start, memory, and the time of an invocation.

    python cold_start.py --program NAME=PATH [--program ...] [--event NAME=FILE ...] [--order FILE]
        [--env [NAME:]VAR=VALUE ...] [--runs 30] [--invocations 200] [--python] [--json]

`--program` is a bootstrap for `provided.al2023`, and `--event` the event of its invocations; without an event, the program is only
started. `--order` is the stored order that S3 returns for every key. `--env` sets an environment variable for all programs or for the
named one. `--python` also measures the start of `origin_bootstrap.py`, for comparison.

Each program gets its own Lambda Runtime API on loopback, and a fake AWS with constant answers. The script measures

* the size of the program, uncompressed and zipped as for the upload;
* the cold start: from just before the program is started until it requests its first event. One start before the measurement puts
  the file into the page cache. The programs are started in turn, so that a busy moment affects all of them;
* its resident memory at that time (current and peak), and after the invocations;
* the invocation: from just before the event is sent until the answer is read. The first one is separate, because it opens connections.

The time of an invocation therefore includes the work of the handler and the loopback connections, but neither TLS nor the latency of
AWS. It includes the CPU time of the fake AWS, which is also reported separately. On AWS Lambda, the share of the CPU depends on the
function's memory; here, the program has a whole core.
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
# Timeout in seconds for the start of a program and for an answer.
TIMEOUT = 30
# The deadline of an invocation that the program is given.
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
    """The server's side of an HTTP/1.1 connection."""

    def __init__(self, sock: socket.socket):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock, self.buffer = sock, b""

    def request(self) -> Request | None:
        """Reads a complete request. Returns None if the client closed the connection."""
        while (end := self.buffer.find(b"\r\n\r\n")) < 0:
            if not self.more():
                return None
        first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        if "transfer-encoding" in headers or "expect" in headers:
            raise Failed(f"{first!r} uses unsupported headers")
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
    """S3, the RDS Data API, SES and SQS on one port, with constant answers. The signature of a request names the service."""

    SERVICE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/aws4_request")
    COLUMN = re.compile(r'cast\("(\w+)"')
    OWNER = re.compile(r"cast\(:p(\d+) as text\), cast\(:p(\d+) as text\)\)? on conflict")

    def __init__(self, order: bytes | None):
        self.order, self.sock, self.lock = order, listener(), threading.Lock()
        self.endpoint = f"http://{address(self.sock)}"
        # Requests by service, messages by queue URL, and requests that could not be answered.
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
                except Exception as error:  # Any failure ends the measurement and is reported.
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
                # A handler reads its note on an older order first.
                accepted_at = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
                kept = {"x-amz-meta-oms-name": stem, "x-amz-meta-oms-accepted-at": accepted_at}
                return 200, what | kept | {"last-modified": formatdate(usegmt=True), "etag": '"0"'}, self.order
            case "s3", "HEAD", _:
                return 404, {}, b""  # no rates are stored yet
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
        raise LookupError("unknown request")

    @staticmethod
    def listed(target: str) -> bytes:
        """A list with one old order."""
        one = "<Contents><Key>NW-1.json</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><Size>1</Size></Contents>"
        return f"<ListBucketResult>{'' if 'start-after=' in target else one}</ListBucketResult>".encode()

    def records(self, statement: dict) -> list:
        """The rows of a statement, as if its effect had never happened before."""
        sql = statement["sql"]
        bound = [next(iter(parameter["value"].values())) for parameter in statement.get("parameters", [])]
        if "insert into oms_claims as c (" in sql:
            row = [bound[3], "claimed", "60000", "0"]
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
    # The file whose size is measured, or None for a program without its own runtime.
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
        """The next request, its connection, and the time when it was complete."""
        until = time.monotonic() + TIMEOUT
        while ready := self.selector.select(max(until - time.monotonic(), 0)):
            for key, _ in ready:
                if key.fileobj is self.sock:
                    sock, _ = self.sock.accept()
                    self.selector.register(sock, selectors.EVENT_READ, Connection(sock))
                elif key.fileobj == self.end:
                    raise self.failed("the program exited")
                else:
                    request, now = key.data.request(), time.perf_counter_ns()
                    if request is not None:
                        return request, key.data, now
                    self.selector.unregister(key.fileobj)
                    key.fileobj.close()
        raise self.failed(f"no request for {TIMEOUT} s")

    def next(self) -> tuple:
        """Waits until the program requests an event. Returns the connection and the time."""
        request, connection, now = self.request()
        if (request.method, request.target) != ("GET", INVOCATION + "next"):
            raise self.failed(f"{request.method} {request.target}: {request.body.decode(errors='replace')}")
        return connection, now

    def invoke(self, connection: Connection, number: int) -> int:
        """Sends the event on the connection. Returns the nanoseconds until the answer."""
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
            raise self.failed(f"unexpected request {request.method} {request.target}: {said}")
        connection.answer(202, {"Content-Type": "application/json"}, b'{"status":"OK"}')
        answer = json.loads(said)
        if isinstance(answer, dict) and (answer.get("batchItemFailures") or answer.get("statusCode", 200) >= 300):
            raise self.failed(f"the event failed: {said}")
        return now - begun

    def memory(self) -> dict:
        """Current and peak resident memory in KiB."""
        lines = dict(line.split(":", 1) for line in Path(f"/proc/{self.pid}/status").read_text().splitlines())
        return {name: int(lines[name].split()[0]) for name in ("VmRSS", "VmHWM")}

    def failed(self, what: str) -> Failed:
        tail = self.log.read_text(errors="replace")[-2000:]
        return Failed(f"{self.program.name}: {what}\n{tail}".rstrip())

    def close(self) -> None:
        # The pidfd refers to the child until it is waited for, even if it has exited.
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
    """Measures consecutive invocations of one process."""
    with contextlib.closing(Running(program, log)) as running:
        times, dead = [], program.environment.get("OMS_DEAD_LETTERS")
        for number in range(invocations + 1):
            if number == 1:
                requests, cost = aws.requests.copy(), aws.cost_ns
            connection, _ = running.next()
            times.append(running.invoke(connection, number) / 1e6)
            if aws.sent[dead]:
                raise running.failed("the order was sent to the dead letters")
            if aws.faults:
                raise running.failed("the fake AWS could not answer a request")
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
    """Formats a row for each program, with sizes in MiB."""
    mib = lambda count, unit=1024: f"{count * unit / (1 << 20):.2f}"  # noqa: E731
    ms = lambda time: f"{time:.2f}"  # noqa: E731
    rows = [
        ["", "size", "", "cold start", "", "", "memory", "", "invocation", "", "", "", "memory", "", ""],
        ["program", "file", "zipped", "median", "min", "max", "current", "peak",
         "first", "median", "p95", "fake AWS", "current", "peak", "AWS requests"],
        ["", "MiB", "MiB", "ms", "ms", "ms", "MiB", "MiB", "ms", "ms", "ms", "ms", "MiB", "MiB", "per invocation"],
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
        raise argparse.ArgumentTypeError(f"`{text}` does not have the form NAME=VALUE")
    return name, value


def count(text: str) -> int:
    if (number := int(text)) < 1:
        raise argparse.ArgumentTypeError("the number must be 1 or more")
    return number


def programs(args, aws: Aws) -> list:
    found = [Program(name, [Path(path).resolve()], {}, Path(path)) for name, path in args.program]
    if args.python:
        found.append(Program("python", [PYTHON, ORIGIN], {}, None))
    names = [program.name for program in found]
    limited = [name.split(":")[0] for name, _ in args.env if ":" in name]
    for name in [*(name for name, _ in args.event), *limited]:
        if names.count(name) != 1:
            raise Failed(f"there must be exactly one program `{name}`")
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
    parser.add_argument("--invocations", type=count, default=200, help="number of invocations after the first one")
    parser.add_argument("--python", action="store_true")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    if not args.program and not args.python:
        parser.error("--program or --python is required")
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

"""Measures the orders per second that `oms serve` accepts, their latency, and the memory of the server. It is not a test.

    python load.py --oms FILE [--seconds N] [--orders FILE] [--pipeline storefront|order-management] [--steady MINUTES]

`--oms` must be an optimized build. wrk (Debian's package) sends the orders from the same machine over keep-alive connections, each order with
its own key. For comparison, `oms run` then processes as many orders from a file. The script prints lines of JSON, and at the end the results of
consistency checks.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from server import PATH, PIPELINE, ROOT, Server, agree

LUA = Path(__file__).with_name("load.lua")
# Numbers of connections that saturate the server and that overload it.
CONNECTIONS, TOO_MANY = 64, 6_000


class Subject:
    """A pipeline and orders for it."""

    def __init__(self, name: str, orders: Path | None):
        self.name = name
        self.file = PIPELINE if name == "storefront" else ROOT / "pipelines/order-management.yaml"
        self.path, self.member = (PATH, "order_id") if name == "storefront" else ("/order", "-")
        samples = sorted((ROOT / "pipelines" / name / "samples").glob("*.json"))
        self.lines = [json.dumps(json.loads(path.read_text(encoding="utf-8")), ensure_ascii=False) for path in samples]
        if orders and name == "storefront":
            self.lines = orders.read_text(encoding="utf-8").splitlines()


def memory(pid: int) -> float:
    """Memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    [line] = [line for line in status.splitlines() if line.startswith("VmRSS")]
    return int(line.split()[1]) / 1024


class Watched:
    """Samples the memory of a process once per second."""

    def __init__(self, pid: int):
        self.pid, self.seen, self.stop = pid, [], threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def look(self) -> None:
        while not self.stop.wait(1):
            self.seen.append(memory(self.pid))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


def wrk(server: Server, subject: Subject, lines: Path, prefix: str, seconds: int, connections: int, pause_ms: float = 0) -> dict:
    command = ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s", "-s", LUA, f"http://127.0.0.1:{server.port}",
               "--", subject.path, lines, subject.member, prefix, pause_ms]
    done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def one(server: Server, subject: Subject, key: str) -> float:
    """Milliseconds until a single order is accepted. It is sent again after each 429."""
    line = subject.lines[0] if subject.member == "-" else json.dumps(json.loads(subject.lines[0]) | {subject.member: key})
    begun = time.monotonic()
    status = 429
    while status == 429 and time.monotonic() < begun + 30:
        with server.connect() as connection:
            status = connection.request("PUT", f"{subject.path}/{key}", line.encode()).status
    if status != 201:
        raise SystemExit(f"a single order got the status {status}")
    return (time.monotonic() - begun) * 1000


def say(what: str, **values) -> None:
    print(json.dumps({"what": what} | values), flush=True)


def run(oms: Path, subject: Subject, folder: Path, count: int) -> None:
    """Measures `oms run` with `count` orders."""
    path, state = folder / "orders.ndjson", folder / "run"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            line = subject.lines[number % len(subject.lines)]
            file.write((line if subject.member == "-" else json.dumps(json.loads(line) | {subject.member: f"R-{number}"}, ensure_ascii=False)) + "\n")
    done = subprocess.run([oms, "run", subject.file, "--input", path, "--state-dir", state, "--format", "json"], check=True, capture_output=True, text=True)
    say("oms run", pipeline=subject.name, orders=count, orders_per_second=json.loads(done.stdout)["orders_per_second"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--oms", type=Path, required=True)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--orders", type=Path)
    parser.add_argument("--steady", type=int, default=0, metavar="MINUTES", help="duration of an additional steady load at about half of the maximum rate")
    parser.add_argument("--pipeline", choices=["storefront", "order-management"], default="storefront")
    args = parser.parse_args()
    subject = Subject(args.pipeline, args.orders)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lines = folder / "lines.ndjson"
        lines.write_text("\n".join(subject.lines) + "\n", encoding="utf-8")
        server = Server(args.oms, folder, subject.file)
        server.start()
        try:
            say("single order", pipeline=subject.name, ms=round(min(one(server, subject, f"alone-{number}") for number in range(20)), 2))
            with Watched(server.process.pid) as watched:
                full = wrk(server, subject, lines, "full", args.seconds, CONNECTIONS)
            accepted = full["statuses"].get("201", 0)
            rate = accepted / full["seconds"]
            say("maximum rate", pipeline=subject.name, connections=CONNECTIONS, accepted_per_second=round(rate), **full,
                memory_mib=[round(mib) for mib in watched.seen])
            pause = CONNECTIONS * 1000 / (rate / 2)
            half = wrk(server, subject, lines, "half", args.seconds, CONNECTIONS, pause)
            say("half of the maximum rate", pipeline=subject.name, accepted_per_second=round(half["statuses"].get("201", 0) / half["seconds"]), **half)
            with Watched(server.process.pid) as watched:
                over = wrk(server, subject, lines, "over", args.seconds // 2, TOO_MANY)
            say("too many", pipeline=subject.name, connections=TOO_MANY, **over, memory_mib=[round(mib) for mib in watched.seen],
                then_alone_ms=round(one(server, subject, "after"), 2))
            parts = [full, half, over]
            if args.steady:
                with Watched(server.process.pid) as watched:
                    steady = wrk(server, subject, lines, "steady", args.steady * 60, CONNECTIONS, pause)
                say("steady", pipeline=subject.name, accepted_per_second=round(steady["statuses"].get("201", 0) / steady["seconds"]), **steady,
                    memory_mib_each_minute=[round(mib) for mib in watched.seen[::60]])
                parts.append(steady)
            total = sum(part["statuses"].get("201", 0) for part in parts)
            server.wait_until_idle()
            agree(server, pages=False)
            say("stored", answered_201=total, runs=server.query("select count(*) from oms_runs")[0][0] - 21)
        finally:
            server.stop()
        run(args.oms, subject, folder, max(accepted, 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""More concurrent orders than the server can process: each gets a 201 or a 429, and every order with a 201 is stored.

    python overload.py [--oms FILE] [--connections N] [--seconds N]

Thousands of connections put orders without a pause, so that each connection always has an order waiting. One connection in twenty puts orders
of the maximum size. A second after the load, an order is again accepted within `NORMAL` seconds.
"""

import resource
import selectors
import socket
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from server import ORDER_MAX, PATH, Failed, Server, agree, arguments, check, order, play, request, written

# Maximum memory of the server in megabytes, of which 256 MB are for incoming orders and as much for waiting ones.
MEMORY_MAX = 1_200
# One in this many connections puts large orders.
LARGE = 20
# Maximum seconds for an order without other load.
NORMAL = 0.25
# Maximum seconds for the last answers.
LAST = 60


class Customer:
    """A non-blocking connection that puts one order after the other."""

    def __init__(self, number: int, port: int):
        self.number, self.port, self.count, self.key = number, port, 0, None
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(("127.0.0.1", port))
        self.out, self.into = b"", b""

    def next(self) -> None:
        self.count += 1
        self.key = f"O-{self.number}-{self.count}"
        body = written(order(self.key))
        if self.number % LARGE == 0:
            body = body.ljust(ORDER_MAX)
        self.out = request(self.port, "PUT", f"{PATH}/{self.key}", body)

    def send(self) -> None:
        self.out = self.out[self.socket.send(self.out) :]

    def receive(self) -> tuple | None:
        """Returns the status of a complete answer and whether it has `Retry-After`, or None if the answer is incomplete."""
        data = self.socket.recv(1 << 16)
        if not data:
            raise Failed(f"a connection ended before the answer to {self.key}: {self.into!r}")
        self.into += data
        head, ends, body = self.into.partition(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        lengths = [int(line.split(b":")[1]) for line in lines if line.startswith(b"content-length:")]
        if not ends or len(body) < lengths[0]:
            return None
        self.into = b""
        return int(lines[0].split()[1]), any(line.startswith(b"retry-after:") for line in lines)


def load(server: Server, connections: int, seconds: float) -> dict:
    """Puts orders and returns their statuses by key."""
    found, waiting = {}, selectors.DefaultSelector()
    begun = time.monotonic()
    for number in range(connections):
        customer = Customer(number, server.port)
        customer.next()
        waiting.register(customer.socket, selectors.EVENT_WRITE, customer)
        # Do not exceed the listen backlog of the server.
        if number % 50 == 0:
            time.sleep(0.01)
    end, without = time.monotonic() + seconds, 0
    while waiting.get_map():
        if time.monotonic() > end + LAST:
            raise Failed(f"{len(waiting.get_map())} orders had no answer {LAST} s after the load")
        for key, _ in waiting.select(1):
            customer = key.data
            try:
                if key.events == selectors.EVENT_WRITE:
                    customer.send()
                    if not customer.out:
                        waiting.modify(customer.socket, selectors.EVENT_READ, customer)
                    continue
                answer = customer.receive()
            except OSError as broken:
                raise Failed(f"the connection of {customer.key} broke: {broken!r}") from None
            if answer is None:
                continue
            found[customer.key] = answer[0]
            without += answer[0] == 429 and not answer[1]
            if time.monotonic() < end:
                customer.next()
                waiting.modify(customer.socket, selectors.EVENT_WRITE, customer)
            else:
                waiting.unregister(customer.socket)
                customer.socket.close()
    print(f"      {len(found)} answers in {time.monotonic() - begun:.1f} s on {connections} connections", flush=True)
    check("answers with 429 and without Retry-After", 0, without)
    return found


def took(server: Server, key: str) -> float:
    """Seconds until an order is answered."""
    with server.connect() as connection:
        begun = time.monotonic()
        check(f"the order {key}", 201, connection.put(order(key)).status)
        return time.monotonic() - begun


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--connections", type=int, default=3_000)
    parser.add_argument("--seconds", type=float, default=6)
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    if hard < args.connections + 100:
        print(f"FAIL  {args.connections} connections need as many open files, but the limit is {hard}")
        return 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as name:
        server = Server(args.oms, Path(name))

        def everything() -> None:
            server.start()
            quiet = min(took(server, f"BEFORE-{at}") for at in range(5))
            print(f"      before: {quiet * 1000:.0f} ms", flush=True)
            found = load(server, args.connections, args.seconds)
            time.sleep(1)
            after = took(server, "AFTER-1")
            check(f"a second after the load, an order takes {after * 1000:.0f} ms, which is normal", True, after < NORMAL)
            counts = Counter(found.values())
            print(f"      {dict(counts)}", flush=True)
            check("answers other than 201 and 429", set(), set(counts) - {201, 429})
            check("some orders were rejected", True, counts[429] > 0)
            check("some orders were accepted", True, counts[201] > 0)
            server.settle()
            accepted = sorted([key for key, status in found.items() if status == 201] + ["AFTER-1"] + [f"BEFORE-{at}" for at in range(5)])
            stored, runs = server.stored(), server.runs()
            for table, of in stored.items():
                check(f"{table}: exactly one for each accepted order", True, of == accepted)
            check("the states in `oms runs list`", {"completed": len(accepted)}, dict(Counter(runs.values())))
            with server.connect() as connection:
                refused = [key for key, status in found.items() if status == 429][:100]
                statuses = {connection.put(order(key)).status for key in refused}
            check(f"{len(refused)} orders with a 429, sent again", {201}, statuses)
            metrics = server.ask("GET", "/metrics").body.decode().splitlines()
            counted = {line.split('status="')[1].split('"')[0]: int(line.split()[-1]) for line in metrics if line.startswith("oms_orders_total")}
            check("the counts in the metrics", {"201": len(accepted) + len(refused), "429": counts[429]}, counted)
            agree(server)
            now, peak = server.memory()
            check(f"the memory, {now} MB with a peak of {peak} MB, stayed below {MEMORY_MAX} MB", True, peak < MEMORY_MAX)
            check("the exit code of the server", 0, server.stop())
            print(f"overload: {counts[201]} orders accepted, {counts[429]} rejected, none lost", flush=True)

        return play(server, everything)


if __name__ == "__main__":
    sys.exit(main())

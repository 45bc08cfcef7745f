"""Thousands of connections that send almost nothing: other clients are answered as before.

    python crowd.py [--oms FILE] [--connections N]

The limit of the server's open files is lower than the number of connections, so all connection slots are in use all the time.
"""

import resource
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from server import PATH, Server, agree, arguments, check, order, play, until

# Limit of the server's open files. The server uses those that it does not need itself for connections.
FILES = 1_000
# Maximum factor by which an order may take longer.
TIMES = 10
# Connections to open per second.
RATE = 500
# Seconds below which times are not compared.
TICK = 0.005
ROUNDS = 40


class Limited(Server):
    def start(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        # The server inherits this limit.
        resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, before[1]))
        popen = subprocess.Popen

        def limited(*words, **more):
            return popen(*words, **more, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (FILES, FILES)))

        subprocess.Popen = limited
        try:
            super().start()
        finally:
            subprocess.Popen = popen
            resource.setrlimit(resource.RLIMIT_NOFILE, before)


class Crowd(threading.Thread):
    """Keeps `count` connections open, each with the beginning of a request, and replaces closed ones."""

    def __init__(self, port: int, count: int):
        super().__init__(daemon=True)
        self.port, self.count, self.open, self.opened, self.ends = port, count, [], 0, threading.Event()

    def run(self) -> None:
        while not self.ends.is_set():
            for _ in range(min(self.count - len(self.open), RATE // 2)):
                try:
                    client = socket.create_connection(("127.0.0.1", self.port), 5)
                    client.setblocking(False)
                    client.send(f"PUT {PATH}/SLOW HTTP/1.1\r\nHost: x\r\n".encode())
                except OSError:
                    break
                if self.ends.is_set():
                    return
                self.open.append(client)
                self.opened += 1
            for client in list(self.open):
                try:
                    # Send another header, and check whether the server closed the connection.
                    client.send(b"X: y\r\n")
                    if client.recv(1, socket.MSG_PEEK) == b"":
                        raise ConnectionResetError
                except BlockingIOError:
                    pass
                except OSError:
                    self.open.remove(client)
                    client.close()
            self.ends.wait(0.5)


def took(server: Server, name: str) -> list:
    times = []
    for at in range(ROUNDS):
        begun = time.monotonic()
        check_status = server.put(order(f"{name}-{at}")).status
        times.append(time.monotonic() - begun)
        if check_status != 201:
            check(f"the order {name}-{at}", 201, check_status)
        time.sleep(0.02)
    return times


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--connections", type=int, default=10_000)
    args = parser.parse_args()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with tempfile.TemporaryDirectory() as name:
        server = Limited(args.oms, Path(name))

        def everything() -> None:
            server.start()
            before = statistics.median(took(server, "BEFORE"))
            crowd = Crowd(server.port, args.connections)
            crowd.start()
            until("more connections than places", lambda: crowd.opened > FILES)
            times = took(server, "BESIDE")
            crowd.ends.set()
            crowd.join()
            check(f"{crowd.opened} connections were opened, more than the server has places", True, crowd.opened > FILES)
            beside = statistics.median(times)
            print(f"      an order takes {before * 1000:.1f} ms, and {beside * 1000:.1f} ms beside the connections, at most {max(times) * 1000:.0f} ms", flush=True)
            check(f"beside the connections, an order takes less than {TIMES} times as long", True, beside < TIMES * max(before, TICK))
            check("only the complete orders are stored", 2 * ROUNDS, len(server.stored()["runs"]))
            for client in crowd.open:
                client.close()
            agree(server)
            now, peak = server.memory()
            print(f"      memory: {now} MB, peak {peak} MB", flush=True)
            check("the exit code of the server", 0, server.stop())
            print(f"crowd: {crowd.opened} slow connections, {2 * ROUNDS} orders accepted beside them", flush=True)

        return play(server, everything)


if __name__ == "__main__":
    sys.exit(main())

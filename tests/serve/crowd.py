"""Very many connections that say nothing, or too little: others are answered as before.

    python crowd.py [--oms FILE] [--connections N]

The server may have fewer open files than there are connections, so that every place is taken all the time.
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

# Open files of the server; places for connections are what is left of them.
FILES = 1_000
# How much longer an order may take.
TIMES = 10
# Connections that are opened in a second, again and again.
RATE = 500
# A tick of the machine's, below which nothing is compared.
TICK = 0.005
ROUNDS = 40


class Limited(Server):
    def start(self) -> None:
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        # The server inherits it.
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
    """Keeps so many connections open, each with the beginning of a request; what is closed is opened again."""

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
                    # A little more of the headers, and whether it was closed.
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
            check(f"{crowd.opened} connections were opened, more than there are places", True, crowd.opened > FILES)
            beside = statistics.median(times)
            print(f"      an order takes {before * 1000:.1f} ms, beside them {beside * 1000:.1f} ms, {max(times) * 1000:.0f} ms at the most", flush=True)
            check(f"an order takes less than {TIMES} times as long beside them", True, beside < TIMES * max(before, TICK))
            check("none of theirs is stored", 2 * ROUNDS, len(server.stored()["runs"]))
            for client in crowd.open:
                client.close()
            agree(server)
            now, peak = server.memory()
            print(f"      memory: now {now} MB, at the most {peak} MB", flush=True)
            check("it ends as it should", 0, server.stop())
            print(f"crowd: {crowd.opened} slow connections, {2 * ROUNDS} orders taken beside them", flush=True)

        return play(server, everything)


if __name__ == "__main__":
    sys.exit(main())

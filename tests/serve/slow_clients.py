"""Clients that send a request slowly, and the time after which the server must close their connections."""

import threading
import time

from server import Closed, Connection, Failed, check, order, written

# The server's limits in seconds, and the tolerance of the checks.
HEADERS, BODY, LATE = 15, 20, 3
# Number of connections of each kind of slow client.
SLOW = 25
OPEN, CLOSED = "open", "closed"


class Slow(threading.Thread):
    """Connections that send the beginning of a request and then a little every second, until the server closes them."""

    def __init__(self, what: str, port: int, beginning: bytes, drip: bytes, statuses: list, limit: float, first: bytes = b""):
        super().__init__(daemon=True)
        self.what, self.port, self.beginning, self.drip, self.statuses, self.limit = what, port, beginning, drip, statuses, limit
        self.first, self.found, self.took, self.failure = first, [], [], None

    def run(self) -> None:
        try:
            connections = [Connection(self.port) for _ in range(SLOW)]
            for connection in connections:
                if self.first:
                    connection.send(self.first)
                    connection.answer()
                connection.send(self.beginning)
            begun = time.monotonic()
            while connections and time.monotonic() < begun + self.limit + LATE:
                time.sleep(1)
                for connection in list(connections):
                    if self.drip:
                        connection.send(self.drip)
                    if (found := self.look(connection)) is not None:
                        self.found.append(found)
                        self.took.append(time.monotonic() - begun)
                        connections.remove(connection)
            self.found += [OPEN] * len(connections)
        except Exception as failure:  # raised again by `judge`
            self.failure = failure

    def look(self, connection: Connection) -> list | None:
        """The statuses that the server sent before it closed the connection, or None if the connection is still open."""
        connection.socket.settimeout(0.001)
        said = []
        try:
            while True:
                said.append(connection.answer().status)
        except TimeoutError:
            return None
        except Closed:
            connection.close()
            return said

    def judge(self) -> None:
        self.join()
        if self.failure:
            raise Failed(f"{self.what}: {self.failure!r}")
        check(f"{self.what}: {SLOW} connections got only these statuses", [self.statuses] * SLOW, self.found)
        check(f"{self.what}: the server closed them after {self.limit} s", True, self.limit - 1 <= min(self.took) and max(self.took) <= self.limit + LATE)


def slow(hostile) -> list:
    """Starts every kind of slow client, each in its own thread."""
    port = hostile.server.port
    length = f"Content-Length: {len(written(order('SLOW')))}"
    kinds = [
        Slow("a silent client", port, b"", b"", [], HEADERS),
        Slow("a client that is idle after an answer", port, b"", b"", [], HEADERS, first=hostile.get()),
        Slow("slow headers", port, hostile.get()[:-2], b"X-A: b\r\n", [], HEADERS),
        Slow("a slow first line", port, b"GET /", b"a", [], HEADERS),
        Slow("a slow body", port, hostile.head("SLOW", length), b" ", [408], BODY),
        Slow("a slow body in chunks", port, hostile.head("SLOW", "Transfer-Encoding: chunked"), b"1\r\n \r\n", [408], BODY),
        Slow("an endless chunk size", port, hostile.head("SLOW", "Transfer-Encoding: chunked"), b"0", [408], BODY),
        Slow("a body that never arrives", port, hostile.head("SLOW", length), b"", [408], BODY),
    ]
    for kind in kinds:
        kind.start()
    return kinds

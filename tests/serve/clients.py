"""Hostile HTTP clients: a process that opens many connections and sends the requests of a `Kind` on each."""

import errno
import multiprocessing
import os
import re
import selectors
import socket
import struct
import time
from collections import Counter

# Maximum number of connections to open before the open ones are served again.
OPENED_AT_ONCE = 200
# Maximum number of bytes of one read.
PIECE = 1 << 18
# With this option of Linux, the kernel chooses the local port at connect(2), so that connections to different addresses can share a port.
IP_BIND_ADDRESS_NO_PORT = 24
# The outcome of a request whose connection ends without a response.
CLOSED = "closed"
LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


class Kind:
    """A kind of hostile client.

    - `sends(load, name)` returns the bytes of a request and, for a valid order, its key.
    - `answers` are the outcomes that must occur, `may` further outcomes that are allowed. An outcome is a status or `CLOSED`.
    - `seconds` is the duration after all connections are open.
    - After the request, `drip` is sent every half second, and `endless` as fast as possible.
    - `reads` is whether the client reads responses, `again` whether it sends another request after a response.
    - `reopens` is whether the client replaces connections that have ended.
    - `rate` is the maximum number of new connections per second, `most` their maximum total.
    - `idle` clients do almost nothing and must cost the server almost no CPU time.
    - `heavy` requests cost the server so much CPU time that other clients have to wait for them.
    - `closed` clients hold their connections until the server closes them.
    - `ends` is how the client ends a connection after its request: "close", "reset", "half" (it closes only its sending side) or "" (not at all).
    - `prepare(port)` returns the value of `load.context` for `sends`.
    """

    def __init__(self, name: str, sends, answers=(), *, may=(), connections: int = 100, seconds: float = 1, drip: bytes = b"", endless: bytes = b"",
                 reads: bool = True, again: bool = True, reopens: bool = True, ends: str = "", prepare=None, most: int | None = None, rate: int = 2_000,
                 idle: bool = False, heavy: bool = False, closed: bool = False):
        self.name, self.sends, self.answers, self.may, self.connections, self.seconds = name, sends, set(answers), set(may), connections, seconds
        self.drip, self.endless, self.reads, self.again, self.reopens, self.ends = drip, endless, reads, again, reopens, ends
        self.prepare, self.most, self.rate, self.idle, self.heavy, self.closed = prepare, most, rate, idle, heavy, closed


class Client:
    """One connection."""

    def __init__(self, load: "Load"):
        self.load, self.kind = load, load.kind
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        if not self.kind.reads:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # Each kind has its own address, because the ports of closed connections stay in use for a minute.
        self.socket.bind((load.source, 0))
        self.socket.connect_ex(("127.0.0.1", load.port))
        self.into, self.skip, self.waits, self.out, self.key, self.is_head = b"", 0, False, memoryview(b""), None, False
        self.next()

    def next(self) -> None:
        data, self.key = self.load.request()
        self.out, self.waits, self.is_head = memoryview(data), True, data.startswith(b"HEAD ")

    def send(self) -> None:
        if not self.out and self.kind.endless:
            self.out = memoryview(self.kind.endless)
        if self.out:
            self.out = self.out[self.socket.send(self.out) :]
        if not self.out and not self.kind.endless:
            if self.kind.ends == "half":
                self.socket.shutdown(socket.SHUT_WR)
            elif self.kind.ends:
                self.load.end(self)

    def receive(self) -> None:
        data = self.socket.recv(PIECE)
        if not data:
            raise ConnectionResetError
        skipped = min(self.skip, len(data))
        self.skip -= skipped
        self.into += data[skipped:]
        while not self.skip and (at := self.into.find(b"\r\n\r\n")) >= 0:
            head, self.into = self.into[:at], self.into[at + 4 :]
            status = int(head[9:12])
            length = LENGTH.search(head)
            bodiless = self.is_head or status in (204, 304) or status < 200
            self.skip = int(length[1]) if length and not bodiless else 0
            skipped = min(self.skip, len(self.into))
            self.skip, self.into = self.skip - skipped, self.into[skipped:]
            self.answered(status, b"connection: close" in head.lower())

    def answered(self, status: int, is_last: bool) -> None:
        self.load.found[status] += 1
        if status < 200:
            return
        self.waits = False
        if self.key:
            self.load.sent.pop(self.key, None)
            if status < 300:
                self.load.accepted.append(self.key)
        if self.kind.again and not is_last and not self.load.over():
            self.next()


class Load:
    """All connections of a kind. It runs in a separate process, so that it does not slow down the measurements."""

    def __init__(self, kind: Kind, number: int, port: int):
        self.kind, self.port, self.number, self.source = kind, port, 0, f"127.0.1.{number + 1}"
        self.prefix = f"K{number}"
        self.found, self.accepted, self.sent, self.opened, self.clients = Counter(), [], {}, 0, set()
        self.selector = selectors.DefaultSelector()
        self.end_at = float("inf")
        self.context = kind.prepare(port) if kind.prepare else None

    def over(self) -> bool:
        return time.monotonic() >= self.end_at

    def request(self) -> tuple:
        self.number += 1
        name = f"{self.prefix}-{self.number}"
        data, key = self.kind.sends(self, name)
        if key:
            # Until the response arrives, the order may be stored or not.
            self.sent[key] = True
        return data, key

    def open(self) -> None:
        client = Client(self)
        self.opened += 1
        self.clients.add(client)
        self.watch(client)

    def watch(self, client: Client) -> None:
        events = (selectors.EVENT_READ if self.kind.reads else 0) | (selectors.EVENT_WRITE if client.out or self.kind.endless else 0)
        known = self.selector.get_map().get(client.socket)
        if not events:
            if known:
                self.selector.unregister(client.socket)
        elif not known:
            self.selector.register(client.socket, events, client)
        elif known.events != events:
            self.selector.modify(client.socket, events, client)

    def end(self, client: Client) -> None:
        if client not in self.clients:
            return
        self.clients.remove(client)
        if client.socket in self.selector.get_map():
            self.selector.unregister(client.socket)
        if self.kind.ends == "reset":
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.socket.close()

    def step(self, client: Client, events: int) -> None:
        try:
            if events & selectors.EVENT_READ:
                client.receive()
            if events & selectors.EVENT_WRITE and client in self.clients:
                client.send()
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno in (errno.EADDRNOTAVAIL, errno.EMFILE):
                raise
            if client.waits:
                self.found[CLOSED] += 1
            self.end(client)
        if client in self.clients:
            self.watch(client)

    def open_more(self, begun: float) -> None:
        """Opens the missing connections, but no faster than the kind's rate."""
        most = self.kind.most or (float("inf") if self.kind.reopens else self.kind.connections)
        due = min(self.kind.rate * (time.monotonic() - begun), most) - self.opened
        for _ in range(min(OPENED_AT_ONCE, int(due), self.kind.connections - len(self.clients))):
            self.open()

    def run(self) -> None:
        begun = dripped = time.monotonic()
        self.end_at = begun + self.kind.seconds + self.kind.connections / self.kind.rate
        while not self.over():
            self.open_more(begun)
            self.turn(0.002 if len(self.clients) < self.kind.connections else 0.05)
            if self.kind.drip and time.monotonic() > dripped + 0.5:
                dripped = time.monotonic()
                for client in [client for client in self.clients if not client.out]:
                    try:
                        client.socket.send(self.kind.drip)
                    except OSError:
                        self.found[CLOSED] += client.waits
                        self.end(client)
        for client in list(self.clients):
            self.end(client)

    def turn(self, timeout: float) -> None:
        if not self.selector.get_map():
            time.sleep(timeout)
        for key, events in self.selector.select(timeout):
            if key.data in self.clients:
                self.step(key.data, events)


def attack(kind: Kind, number: int, port: int):
    """Starts the process of a kind. Returns the process and the pipe for its result."""
    here, there = multiprocessing.Pipe(duplex=False)

    def run() -> None:
        load = Load(kind, number, port)
        load.run()
        there.send((dict(load.found), load.accepted, list(load.sent), load.opened))
        there.close()
        os._exit(0)

    process = multiprocessing.get_context("fork").Process(target=run, daemon=True)
    process.start()
    there.close()
    return process, here

"""A proxy in front of AWS services that injects their faults and kills functions.

A seeded random choice decides the fate of each request. The proxy forwards it, rejects it (5xx) or throttles it; forwards it but then closes
the connection or sends no answer for long; or kills the function that sent it, before or after forwarding it.
"""

import http.client
import os
import random
import re
import signal
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

# Frequency of each fate in a thousand requests. The others are forwarded.
FATES = {"refused": 50, "throttled": 50, "unanswered": 60, "silent": 3, "killed before": 6, "killed after": 10}
# Longer than the timeout of an attempt of the SDK.
SILENCE_S = 11
THROTTLED = {
    "s3": (503, "<Error><Code>SlowDown</Code></Error>"),
    "sqs": (400, '{"__type":"ThrottlingException"}'),
    "ses": (429, '{"__type":"TooManyRequestsException"}'),
    "rds-data": (400, '{"__type":"ThrottlingException"}'),
}


def client_of(port: int) -> int | None:
    """The process that owns the client side of a connection, by its local port."""
    wanted = f":{port:04X}"
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[1].endswith(wanted) and words[3] == "01":
            link = f"socket:[{words[9]}]"
            break
    else:
        return None
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(entry) == link for entry in folder.iterdir()):
                return int(folder.parent.name)
        except OSError:
            continue
    return None


def kill(port: int) -> bool:
    """Kills the process that sent a request, if it is a function."""
    pid = client_of(port)
    if pid is None or not re.search(r"bootstrap", os.readlink(f"/proc/{pid}/exe")):
        return False
    os.kill(pid, signal.SIGKILL)
    return True


class Proxy:
    """A proxy of one service on a loopback port."""

    def __init__(self, service: str, upstream: int, seed: int):
        self.service, self.upstream = service, upstream
        self.chance, self.lock = random.Random(f"{seed} {service}"), threading.Lock()
        self.faults, self.met = True, Counter()
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                proxy.handle(self)

            do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = handle_any

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def fate(self) -> str:
        with self.lock:
            at = self.chance.randrange(1000)
            for fate, share in FATES.items():
                if at < share:
                    found = fate
                    break
                at -= share
            else:
                found = "passed"
            return found if self.faults else "passed"

    def count(self, fate: str) -> None:
        with self.lock:
            self.met[fate] += 1

    def handle(self, request: BaseHTTPRequestHandler) -> None:
        body = request.rfile.read(int(request.headers.get("content-length", 0)))
        fate, port = self.fate(), request.client_address[1]
        if fate == "killed before":
            fate = fate if kill(port) else "passed"
        if fate != "killed after":
            self.count(fate)
        if fate == "refused":
            return answer(request, 503, b"")
        if fate == "throttled":
            status, text = THROTTLED[self.service]
            return answer(request, status, text.encode())
        if fate == "killed before":
            request.close_connection = True
            return None
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.upstream, timeout=60)
            connection.request(request.command, request.path, body, dict(request.headers))
            response = connection.getresponse()
            content = response.read()
            connection.close()
        except OSError:  # the service was stopped because the test has ended
            request.close_connection = True
            return None
        if fate == "killed after":
            fate = fate if kill(port) else "unanswered"
            self.count(fate)
        if fate == "silent":
            time.sleep(SILENCE_S)
        if fate in ("killed after", "silent", "unanswered"):
            request.close_connection = True
            return None
        headers = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP]
        return answer(request, response.status, content, headers)


HOP = ("connection", "transfer-encoding", "content-length", "date", "server", "keep-alive")


def answer(request: BaseHTTPRequestHandler, status: int, content: bytes, headers=()) -> None:
    try:
        request.send_response(status)
        for name, value in headers:
            request.send_header(name, value)
        request.send_header("content-length", str(len(content)))
        request.end_headers()
        if request.command != "HEAD":
            request.wfile.write(content)
    except OSError:
        pass  # the function has exited

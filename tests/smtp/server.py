"""An SMTP server for tests: it stores accepted messages and injects faults on request.

README.md describes its options, its output files and its faults.
"""

import argparse
import asyncio
import functools
import json
import logging
import os
import queue
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
from email import message_from_bytes
from pathlib import Path

import trustme
from aiosmtpd.smtp import SMTP

KINDS = {at: ["reply", "close"] for at in ("connect", "ehlo", "starttls", "auth", "mail", "rcpt", "data")}
KINDS["message"] = ["reply", "close", "die", "stall", "close_before"]
COMMANDS = {at.upper(): at for at in KINDS if at not in ("connect", "message")} | {"HELO": "ehlo"}
TYPES = {"at": str, "do": str, "code": int, "text": str, "seconds": (int, float), "times": int, "to": str, "name": str}
DIED = 70  # the exit code of the fault `die`


def parse_fault(line):
    """Parses a fault. Rejects unknown keys and values, because such a fault would never occur."""
    fault = json.loads(line)
    needed = {"at", "do"} | {"reply": {"code", "text"}, "stall": {"seconds"}}.get(fault["do"], set())
    allowed = needed | {"times", "name"} | ({"to"} if fault["at"] in ("rcpt", "data", "message") else set())
    if fault["do"] not in KINDS[fault["at"]] or not needed <= fault.keys() <= allowed:
        raise ValueError(f"`{fault['at']}` allows {KINDS[fault['at']]}; this one requires {needed} and allows {allowed - needed}")
    typed = all(isinstance(value, TYPES[key]) for key, value in fault.items())
    if not typed or not 200 <= fault.get("code", 200) <= 599 or not fault.get("text", "").isprintable():
        raise ValueError("a value has the wrong type, `code` is not in 200 to 599, or `text` is not one line")
    return fault


class Faults:
    """The faults in a file, which is read again each time a fault may occur."""

    def __init__(self, path, log):
        self.path = path
        self.log = log
        self.hits = {}  # by line and number of equal lines above

    def take(self, at, kinds, connection, recipients=()):
        """Returns the first matching fault, and counts and logs it."""
        faults = self._read()
        self.hits = {key: self.hits.get(key, 0) for key in faults}
        for key, fault in faults.items():
            mine = "to" not in fault or any(fault["to"] in recipient for recipient in recipients)
            left = "times" not in fault or self.hits[key] < fault["times"]
            if fault["at"] == at and fault["do"] in kinds and mine and left:
                self.hits[key] += 1
                with open(self.log, "a", encoding="utf-8") as log:
                    log.write(json.dumps({**fault, "connection": connection}) + "\n")
                return fault
        return None

    def _read(self):
        faults = {}
        text = self.path.read_text("utf-8") if self.path and self.path.exists() else ""
        for line in filter(str.strip, text.split("\n")):
            try:
                faults[line, sum(line == above for above, _ in faults)] = parse_fault(line)
            except (AttributeError, LookupError, TypeError, ValueError) as error:
                print(f"{self.path}: {error!r}: {line}", file=sys.stderr, flush=True)
                os._exit(2)
        return faults


class Records:
    """The output files, which tests read."""

    def __init__(self, folder):
        self.folder = folder
        self.accepted = folder / "accepted"
        self.accepted.mkdir(parents=True, exist_ok=True)
        self.messages = max((int(path.stem) for path in self.accepted.glob("*.eml")), default=0)
        count = folder / "connections"
        self.connections = int(count.read_text()) if count.exists() else 0
        self._write(count, b"%d" % self.connections)

    def connected(self):
        """Counts a connection and returns its number."""
        self.connections += 1
        self._write(self.folder / "connections", b"%d" % self.connections)
        return self.connections

    def accept(self, content, about):
        """Stores a message durably and returns its name."""
        self.messages += 1
        name = f"{self.messages:06}"
        self._write(self.accepted / f"{name}.eml", content)
        self._write(self.accepted / f"{name}.json", json.dumps(about).encode())
        return name

    def _write(self, path, content):
        """Writes a file atomically, and syncs it and its folder."""
        part = self.folder / ".part"
        with open(part, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
        folder = os.open(path.parent, os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)


class Hooks:
    """The handler for aiosmtpd."""

    async def handle_EHLO(self, server, session, _envelope, hostname, responses):
        """Offers AUTH only when there is a user."""
        session.host_name = hostname
        return [line for line in responses if server.user or not line.startswith("250-AUTH")]

    async def handle_DATA(self, server, session, envelope):
        """Stores a completely received message and answers it, unless a fault applies."""
        fault = server.faults.take("message", KINDS["message"][:4], server.number, envelope.rcpt_tos) or {"do": None}
        if fault["do"] == "reply":
            return server.answer(fault)
        message_id = str(message_from_bytes(envelope.original_content).get("Message-ID", ""))
        name = server.records.accept(envelope.original_content, {
            "envelope_from": envelope.mail_from,
            "envelope_to": envelope.rcpt_tos,
            "mail_options": envelope.mail_options,
            "rcpt_options": envelope.rcpt_options,
            "tls": server.transport.get_extra_info("ssl_object") is not None,
            "user": session.auth_data.login.decode() if session.authenticated else None,
            "message_id": "".join(message_id.split()).removeprefix("<").removesuffix(">"),
        })
        if fault["do"] == "die":
            os._exit(DIED)
        if fault["do"] == "close":
            server.drop()
        if fault["do"] == "stall":
            await asyncio.sleep(fault["seconds"])
        return f"250 2.0.0 accepted as {name}"


class Connection(SMTP):
    """A connection. Every command checks for a fault first."""

    def __init__(self, options, context, records, faults):
        self.user = options.auth and tuple(options.auth.encode().split(b":", 1))
        self.records = records
        self.faults = faults
        self.number = records.connected()
        super().__init__(
            Hooks(), hostname="localhost", timeout=3600, loop=asyncio.get_running_loop(),
            enable_SMTPUTF8=not options.no_smtputf8,
            tls_context=context if options.tls == "starttls" else None,
            auth_required=bool(self.user), auth_require_tls=options.tls == "starttls",
            auth_callback=lambda _mechanism, *user: user == self.user,
        )
        self._smtp_methods |= {name: functools.partial(self.command, name) for name in COMMANDS}

    async def _handle_client(self):
        """Greets and serves the client."""
        if fault := self.faults.take("connect", KINDS["connect"], self.number):
            await self.push(self.answer(fault))
        else:
            await super()._handle_client()

    async def command(self, name, arg):
        """Executes a command or its fault."""
        at = COMMANDS[name]
        recipients = [arg or ""] if at == "rcpt" else self.envelope.rcpt_tos
        if fault := self.faults.take(at, KINDS[at], self.number, recipients):
            await self.push(self.answer(fault))
        elif at == "data" and recipients and self.faults.take("message", ["close_before"], self.number, recipients):
            await self.push("354 End data with <CR><LF>.<CR><LF>")
            await self._reader.read(1)
            self.drop()
        else:
            await getattr(super(), f"smtp_{name}")(arg)

    def answer(self, fault):
        """Returns the answer of a `reply`. Drops the connection for a `close`."""
        if fault["do"] == "close":
            self.drop()
        if fault["code"] == 421 or fault["at"] == "connect":
            self.loop.call_soon(self.transport.close)  # after the answer is sent
        return f"{fault['code']} {fault['text']}".encode()

    def drop(self):
        """Resets the TCP connection without sending an answer."""
        linger = struct.pack("ii", 1, 0)
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.transport.abort()
        raise asyncio.CancelledError


async def serve(options, ready):
    """Serves until it is stopped. Calls `ready` with the announcement and a function that stops the server."""
    folder = Path(os.path.abspath(options.folder))
    records = Records(folder)
    faults = Faults(options.faults and Path(options.faults), folder / "faults.log")
    faults.log.touch()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    connection = functools.partial(Connection, options, context, records, faults)
    server = await loop.create_server(connection, "127.0.0.1", 0, ssl=context if options.tls == "tls" else None)
    about = {"port": server.sockets[0].getsockname()[1], "certificate": str(folder / "ca.pem")}
    ready(about, lambda: loop.call_soon_threadsafe(stop.set))
    await stop.wait()
    server.close()


def announce(about, stop):
    """Prints the announcement. The end of standard input or SIGTERM stops the server."""
    def watch():
        while os.read(0, 4096):
            pass
        stop()
    signal.signal(signal.SIGTERM, lambda *_: stop())
    threading.Thread(target=watch, daemon=True).start()
    print(json.dumps(about), flush=True)


def arguments(given=None):
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--self-test", action="store_true", help="test this server")
    parser.add_argument("--folder", help="the folder for the output files")
    parser.add_argument("--tls", choices=["none", "starttls", "tls"], default="none")
    parser.add_argument("--auth", metavar="USER:PASSWORD", help="require a login")
    parser.add_argument("--no-smtputf8", action="store_true", help="do not offer SMTPUTF8")
    parser.add_argument("--faults", metavar="FILE", help="the faults, one JSON object per line")
    options = parser.parse_args(given)
    if not options.self_test and not options.folder or options.auth and ":" not in options.auth:
        parser.error("--folder is required, and --auth has the form USER:PASSWORD")
    return options


MESSAGE = b"Message-ID: <k1@example.com>\r\nSubject: Hi\r\n\r\n.dot\r\n..dots\r\n.\r\nend\r\n"
USER = ("shop", "pass:word")


class Trial:
    """A server with its own folder and a matching client, for the self-test."""

    def __init__(self, tls="starttls", user=USER, process=False):
        self.home = tempfile.TemporaryDirectory()
        self.folder, self.tls, self.user = Path(self.home.name), tls, user
        given = ["--folder", self.home.name, "--tls", tls, "--faults", f"{self.home.name}/faults"]
        given += ["--auth", ":".join(user)] if user else []
        if process:
            command, pipe = [sys.executable, __file__, *given], subprocess.PIPE
            self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe)
            self.about = json.loads(self.process.stdout.readline())
        else:
            ready = queue.Queue()
            work = serve(arguments(given), lambda *about: ready.put(about))
            threading.Thread(target=asyncio.run, args=[work], daemon=True).start()
            self.about, _ = ready.get(timeout=30)

    def accepted(self):
        """Reads the accepted messages."""
        paths = sorted((self.folder / "accepted").glob("*.json"))
        return [(json.loads(path.read_bytes()), path.with_suffix(".eml").read_bytes()) for path in paths]

    def send(self, *to, timeout=10):
        """Sends a message. Returns None, or the code of the rejection (0 without an answer)."""
        context = ssl.create_default_context(cafile=self.about["certificate"])
        smtp = functools.partial(smtplib.SMTP_SSL, context=context) if self.tls == "tls" else smtplib.SMTP
        try:
            with smtp("localhost", self.about["port"], "client", timeout=timeout) as client:
                if self.tls == "starttls":
                    client.starttls(context=context)
                if self.user:
                    client.login(*self.user)
                refused = client.sendmail("shop@example.com", to or ["a@example.com"], MESSAGE)
        except smtplib.SMTPRecipientsRefused as error:
            refused = error.recipients
        except OSError as error:
            return getattr(error, "smtp_code", 0)
        return next((code for code, _ in refused.values()), None)


def sends(tls, user):
    """Checks that a message is stored with its metadata."""
    trial = Trial(tls, user)
    assert trial.send() is None
    expected = {"envelope_from": "shop@example.com", "envelope_to": ["a@example.com"], "rcpt_options": [],
                "mail_options": [f"SIZE={len(MESSAGE)}"], "tls": tls != "none", "user": user and user[0],
                "message_id": "k1@example.com"}
    assert trial.accepted() == [(expected, MESSAGE)], trial.accepted()
    assert (trial.folder / "connections").read_text() == "1"


def fails(fault, code, stored, times=1, timeout=10):
    """Checks that a fault occurs `times` times and is logged."""
    trial = Trial(process=fault["do"] == "die")
    assert trial.send() is None, "without a fault"
    (trial.folder / "faults").write_text(json.dumps({**fault, "times": max(times, 1)}))
    assert (found := trial.send(timeout=timeout)) == code, f"expected {code}, found {found}"
    assert len(trial.accepted()) == 1 + stored
    assert len((trial.folder / "faults.log").read_text().splitlines()) == times
    if fault["do"] == "die":
        assert trial.process.wait(timeout=10) == DIED
    else:
        assert trial.send() is None and len(trial.accepted()) == 2 + stored, "after the fault"


def self_test():
    """Tests each way to send and each fault. Returns the exit code."""
    trials = [(sends, tls, user) for tls in ("none", "starttls", "tls") for user in (None, USER)]
    for at in KINDS:
        reply = {"at": at, "do": "reply", "code": 451, "text": "try later"}
        trials.append((fails, reply, 451, 0, 2 if at in ("ehlo", "auth") else 1))  # HELO or LOGIN is tried next
        trials.append((fails, {"at": at, "do": "close"}, 0, at == "message"))
        if at in ("rcpt", "data", "message"):
            trials += [(fails, {**reply, "to": "a@ex"}, 451, 0), (fails, {**reply, "to": "b@ex"}, None, 1, 0)]
    trials += [(fails, {"at": "message", "do": do}, 0, stored) for do, stored in (("die", 1), ("close_before", 0))]
    stall = {"at": "message", "do": "stall", "seconds": 1}
    trials += [(fails, stall, 0, 1, 1, 0.5), (fails, stall, None, 1)]
    failed = 0
    for trial, *given in trials:
        try:
            trial(*given)
        except Exception as error:
            failed += 1
            print(f"{trial.__name__}{tuple(given)}: {error!r}")
    print(f"{len(trials) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    logging.captureWarnings(True)
    logging.disable(logging.WARNING)  # aiosmtpd warns about a login without TLS
    chosen = arguments()
    sys.exit(self_test() if chosen.self_test else asyncio.run(serve(chosen, announce)))

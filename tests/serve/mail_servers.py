"""Hostile mail servers. Each kind violates the protocol at one point of the conversation and behaves correctly otherwise.

`KINDS` lists the kinds with the expected outcome of `oms run --mail smtp`. `attacks_mail.py` runs `oms` with each of them, and
the case `tests/cases/smtp-hostile-server` uses some of them.
"""

import datetime
import os
import socket
import ssl
import struct
import threading
import time
from collections import Counter

# The pipeline's `mail.smtp.timeout_seconds` for all kinds: the time for one reply.
TIMEOUT = 3
# The step's `timeout_seconds` for kinds that keep the message waiting. Without it, `oms` waits 10 minutes for the last reply (RFC 5321, 4.5.3.2.6).
STEP_TIMEOUT = 6
# Number of bytes of one write of an endless reply, and the maximum length of a line.
PIECE = 1 << 16
# Outcomes of a run.
DONE, UNAVAILABLE, REFUSED, ADDRESS, UNKNOWN = ("completed", *(f"parked {cause}" for cause in ("unavailable", "refused", "bad_address", "unknown_outcome")))
# Characters of the note in each order of a `large` kind, more than the socket buffers hold. About 40 kB fit into them.
LARGE = 300_000


class Disconnect(Exception):
    """The server closes the connection."""


class Session:
    """One connection of a client."""

    def __init__(self, server: "MailServer", client: socket.socket):
        self.server, self.client, self.recipient, self.mails, self.encrypted = server, client, None, 0, False
        self.lines = client.makefile("rb")

    def send(self, data: bytes) -> None:
        self.client.sendall(data)

    def act(self, stage: str, default: bytes) -> bytes:
        """Performs the kind's action at a point of the conversation, and returns the reply that was sent."""
        action = self.server.actions().get(stage, default)
        if callable(action):
            return action(self) or b""
        self.send(action)
        return action

    def count(self) -> None:
        """Counts a message that the server may have accepted."""
        self.server.given[self.recipient] += 1

    def run(self) -> None:
        self.act("connect", b"220 here\r\n")
        while line := self.lines.readline(PIECE):
            verb = line[:4].upper()
            if verb == b"EHLO":
                self.act("EHLO", self.server.kind.hello(self.encrypted, self.server.correct))
            elif verb == b"STAR":
                self.act("STARTTLS", b"220 go on\r\n")
                self.encrypt()
            elif verb == b"AUTH" or (self.server.kind.login and b" " not in line and len(line) > 8):
                self.act("AUTH", b"235 welcome\r\n")
            elif verb == b"MAIL":
                self.act("MAIL", b"250 ok\r\n")
            elif verb == b"RCPT":
                self.recipient = line.split(b"<")[1].split(b">")[0].decode()
                self.act("RCPT", b"250 ok\r\n")
            elif verb == b"DATA":
                if self.act("DATA", b"354 go on\r\n").startswith(b"354"):
                    self.message()
            else:
                self.send(b"500 unknown command\r\n")

    def message(self) -> None:
        """Reads a message to its period."""
        line = self.lines.readline(PIECE)
        if not line:
            raise Disconnect
        self.count()
        while line != b".\r\n":
            line = self.lines.readline(PIECE)
            if not line:
                raise Disconnect
        self.mails += 1
        self.act("period", b"250 accepted\r\n")

    def encrypt(self) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        name = "good" if self.server.correct else self.server.kind.certificate
        self.server.certificates.by_name[name].configure_cert(context)
        self.client = context.wrap_socket(self.client, server_side=True)
        self.lines, self.encrypted = self.client.makefile("rb"), True


class MailServer:
    """A mail server of one kind. After `become_correct` it behaves correctly."""

    def __init__(self, kind: "Kind", certificates: "Certificates | None" = None):
        self.kind, self.certificates, self.given, self.ended, self.correct = kind, certificates, Counter(), threading.Event(), False
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if kind.large:
            # With small segments and a small window, most of a message stays with its sender.
            self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        self.socket.bind(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        if kind.listens:
            self.listen()

    def listen(self) -> None:
        self.socket.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def actions(self) -> dict:
        return {} if self.correct else self.kind.actions

    def become_correct(self) -> None:
        """Makes the server behave correctly and resets its counts."""
        self.ended.set()
        self.given, self.correct = Counter(), True
        if not self.kind.listens:
            self.listen()

    def serve(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            threading.Thread(target=self.handle, args=(client,), daemon=True).start()

    def handle(self, client: socket.socket) -> None:
        session = Session(self, client)
        try:
            if self.kind.security == "tls" and not (self.kind.is_plain and not self.correct):
                session.encrypt()
            session.run()
        except (Disconnect, OSError, ValueError):
            pass
        finally:
            # The connection stays open until both are closed.
            session.lines.close()
            session.client.close()

    def close(self) -> None:
        self.ended.set()
        self.socket.close()


class Kind:
    """A kind of mail server.

    `ends` is the outcome of every run. `actions` maps points of the conversation to the bytes to send instead of the correct reply, or to a
    function of the `Session`. `given` is how often `oms` gives each message to the server.
    """

    def __init__(self, ends: str, given: int | None = None, *, security: str = "none", extensions: bytes = b"", login: bool = False, certificate: str = "good",
                 step_timeout: bool = False, large: bool = False, connections: int = 4, listens: bool = True, is_plain: bool = False, **actions):
        self.ends, self.actions, self.security, self.extensions, self.login = ends, actions, security, extensions, login
        self.certificate, self.step_timeout, self.large, self.connections = certificate, step_timeout, large, connections
        self.listens, self.is_plain = listens, is_plain
        self.given = (1 if ends in (DONE, UNKNOWN) else 0) if given is None else given

    def hello(self, is_encrypted: bool, is_correct: bool) -> bytes:
        """Returns the reply to EHLO."""
        offers = b"250-STARTTLS\r\n" if self.security == "starttls" and not is_encrypted else b""
        extensions = LOGIN["extensions"] if self.login and is_correct else self.extensions
        return b"250-here\r\n" + offers + extensions + b"250 8BITMIME\r\n"


def silence(session: Session) -> None:
    """Keeps the connection open and sends nothing."""
    session.server.ended.wait()
    raise Disconnect


def close(_: Session) -> None:
    raise Disconnect


def reset(session: Session) -> None:
    """Closes the connection with RST."""
    session.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    raise Disconnect


def endless(data: bytes, first: bytes = b""):
    """Sends the same bytes repeatedly, as fast as the client reads them."""

    def act(session: Session) -> None:
        session.send(first)
        while not session.server.ended.is_set():
            session.send(data * (PIECE // len(data)))
        raise Disconnect

    return act


def drip(data: bytes):
    """Sends one byte per second."""

    def act(session: Session) -> None:
        for at in range(60):
            session.send(data[at % len(data)].to_bytes())
            if session.server.ended.wait(1):
                break
        raise Disconnect

    return act


def then(data: bytes, action):
    """Sends bytes, then performs an action."""

    def act(session: Session) -> None:
        session.send(data)
        action(session)

    return act


def late(data: bytes, seconds: float):
    """Sends a correct reply late."""

    def act(session: Session) -> bytes:
        time.sleep(seconds)
        session.send(data)
        return data

    return act


def after_first(data: bytes, default: bytes = b"250 ok\r\n"):
    """Sends a different reply after the first mail on a connection."""

    def act(session: Session) -> bytes:
        reply = data if session.mails else default
        session.send(reply)
        return reply

    return act


def never_read(session: Session) -> None:
    """Accepts DATA and does not read the message."""
    session.send(b"354 go on\r\n")
    session.count()
    silence(session)


def read_slowly(session: Session) -> None:
    """Accepts DATA and reads one byte per second."""
    session.send(b"354 go on\r\n")
    session.count()
    while not session.server.ended.wait(1):
        session.client.recv(1)
    raise Disconnect


def read_first_line(action):
    """Accepts DATA and reads only the first line of the message."""

    def act(session: Session) -> None:
        session.send(b"354 go on\r\n")
        session.lines.readline(PIECE)
        session.count()
        action(session)

    return act


def record(kind: int, payload: bytes) -> bytes:
    """Returns a record of TLS."""
    return struct.pack(">BHH", kind, 0x303, len(payload)) + payload


STARTTLS = {"security": "starttls"}
LOGIN = {"login": True, "extensions": b"250-AUTH PLAIN LOGIN\r\n"}
HUGE = b"\x02\xff\xff\xff" + bytes(16_000)  # a handshake message of 16 MB

KINDS = {
    "nothing wrong": Kind(DONE),
    "nobody listens": Kind(UNAVAILABLE, listens=False),
    # Before the first command.
    "an endless line": Kind(UNAVAILABLE, connect=endless(b"2")),
    "an endless greeting": Kind(UNAVAILABLE, connect=endless(b"220-" + b"x" * 500 + b"\r\n")),
    "endless empty lines": Kind(UNAVAILABLE, connect=endless(b"\r\n")),
    "garbage": Kind(UNAVAILABLE, connect=then(os.urandom(4096), silence)),
    "one byte a second": Kind(UNAVAILABLE, connect=drip(b"2")),
    "a greeting in another protocol": Kind(UNAVAILABLE, connect=b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "a greeting of 1 MB of spaces": Kind(UNAVAILABLE, connect=b" " * (1 << 20) + b"\r\n"),
    "a greeting and 1 MB of spaces": Kind(UNAVAILABLE, connect=b"220 " + b" " * (1 << 20) + b"\r\n"),
    "a greeting that ends with CR": Kind(UNAVAILABLE, connect=then(b"220 here\r", silence)),
    "all lines end with LF": Kind(DONE, connect=b"220 here\n", EHLO=b"250-here\n250 8BITMIME\n", DATA=b"354 go on\n", period=b"250 ok\n"),
    "silence at connect": Kind(UNAVAILABLE, connect=silence),
    "close at connect": Kind(UNAVAILABLE, connect=close),
    "reset at connect": Kind(UNAVAILABLE, connect=reset),
    "4xx at connect": Kind(UNAVAILABLE, connect=b"421 busy\r\n"),
    "5xx at connect": Kind(REFUSED, connect=b"554 no\r\n"),
    "every reply 1.3 s late": Kind(DONE, connect=late(b"220 here\r\n", 1.3), EHLO=late(b"250 here\r\n", 1.3), MAIL=late(b"250 ok\r\n", 1.3),
                                   RCPT=late(b"250 ok\r\n", 1.3), DATA=late(b"354 go on\r\n", 1.3), period=late(b"250 ok\r\n", 1.3)),
    # EHLO.
    "silence at EHLO": Kind(UNAVAILABLE, EHLO=silence),
    "close at EHLO": Kind(UNAVAILABLE, EHLO=close),
    "4xx at EHLO": Kind(UNAVAILABLE, EHLO=b"421 busy\r\n"),
    "5xx at EHLO": Kind(REFUSED, EHLO=b"502 no\r\n"),
    "a long answer to EHLO": Kind(UNAVAILABLE, EHLO=b"".join(b"250-X%d\r\n" % at for at in range(200_000)) + b"250 SIZE 1\r\n"),
    "an endless answer to EHLO": Kind(UNAVAILABLE, EHLO=endless(b"250-X\r\n")),
    "EHLO keywords of 8 bits": Kind(DONE, EHLO=b"250-caf\xe9\r\n250-\xff\xfe\xfd\r\n250 8BITM\xcfME\r\n"),
    "EHLO keywords with NUL": Kind(DONE, EHLO=b"250-here\r\n250-AUTH\0PLAIN\r\n250 SIZE \0\r\n"),
    "SIZE 1": Kind(DONE, extensions=b"250-SIZE 1\r\n"),
    "a SIZE of 400 digits": Kind(DONE, extensions=b"250-SIZE " + b"9" * 400 + b"\r\n"),
    "all replies before the commands": Kind(UNAVAILABLE, connect=b"220 here\r\n250 here\r\n250 ok\r\n250 ok\r\n", EHLO=b"",
                                            MAIL=after_first(b"250 ok\r\n", b""), RCPT=after_first(b"250 ok\r\n", b"")),
    # The envelope.
    "silence at MAIL": Kind(UNAVAILABLE, MAIL=silence),
    "close at MAIL": Kind(UNAVAILABLE, MAIL=close),
    "4xx at MAIL": Kind(UNAVAILABLE, MAIL=b"451 later\r\n"),
    "5xx at MAIL": Kind(REFUSED, MAIL=b"553 no\r\n"),
    "another code in each line": Kind(UNAVAILABLE, MAIL=b"250-a\r\n251 b\r\n"),
    "another code than it began with, 550": Kind(UNAVAILABLE, MAIL=b"250-a\r\n550 b\r\n"),
    "silence at RCPT": Kind(UNAVAILABLE, RCPT=silence),
    "close at RCPT": Kind(UNAVAILABLE, RCPT=close),
    "4xx at RCPT": Kind(UNAVAILABLE, RCPT=b"450 later\r\n"),
    "5xx at RCPT": Kind(ADDRESS, RCPT=b"550 nobody\r\n"),
    "a code alone": Kind(ADDRESS, RCPT=b"550\r\n"),
    "a byte a second at RCPT": Kind(UNAVAILABLE, RCPT=drip(b"250-slow\r\n")),
    # The message.
    "silence at DATA": Kind(UNAVAILABLE, DATA=silence),
    "close at DATA": Kind(UNAVAILABLE, DATA=close),
    "4xx at DATA": Kind(UNAVAILABLE, DATA=b"451 later\r\n"),
    "5xx at DATA": Kind(REFUSED, DATA=b"554 no\r\n"),
    "no 354": Kind(UNAVAILABLE, DATA=b"250 no\r\n"),
    "close within the message": Kind(UNKNOWN, DATA=read_first_line(close)),
    "reset within the message": Kind(UNKNOWN, DATA=read_first_line(reset)),
    "the message is not read": Kind(UNKNOWN, large=True, step_timeout=True, DATA=never_read),
    "a byte of the message a second": Kind(UNKNOWN, large=True, step_timeout=True, DATA=read_slowly),
    "silence after the period": Kind(UNKNOWN, step_timeout=True, period=silence),
    "close after the period": Kind(UNKNOWN, period=close),
    "reset after the period": Kind(UNKNOWN, period=reset),
    "a byte a second after the period": Kind(UNKNOWN, step_timeout=True, period=drip(b"250-ok\r\n")),
    "an endless line after the period": Kind(UNKNOWN, period=endless(b"2")),
    "an endless reply after the period": Kind(UNKNOWN, period=endless(b"250-ok\r\n")),
    "garbage after the period": Kind(UNKNOWN, period=then(os.urandom(4096), silence)),
    "an unknown code": Kind(UNKNOWN, period=b"999 what\r\n"),
    "354 after the period": Kind(UNKNOWN, period=b"354 go on\r\n"),
    "250 and then 550 in one reply": Kind(UNKNOWN, period=b"250-ok\r\n550 no\r\n"),
    # The server says that it did not accept the message, so `oms` may send it again in its second attempt.
    "4xx after the period": Kind(UNAVAILABLE, 2, period=b"452 full\r\n"),
    "5xx after the period": Kind(REFUSED, 1, period=b"554 spam\r\n"),
    # Several mails on one connection.
    "250 to the period twice": Kind(DONE, connections=1, period=b"250 ok\r\n250 ok\r\n"),
    "all replies to the next mail in advance": Kind(DONE, connections=1, period=b"250 ok\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 ok\r\n",
                                                    RCPT=after_first(b"550 nobody\r\n"), DATA=after_first(b"503 no recipient\r\n", b"354 go on\r\n")),
    "close after each mail": Kind(DONE, connections=1, period=then(b"250 ok\r\n", close)),
    "421 at the second mail": Kind(DONE, connections=1, MAIL=after_first(b"421 too many\r\n")),
    # Encryption.
    "STARTTLS and nothing wrong": Kind(DONE, **STARTTLS),
    "TLS and nothing wrong": Kind(DONE, security="tls"),
    "no STARTTLS": Kind(REFUSED, **STARTTLS, EHLO=b"250 here\r\n"),
    "4xx at STARTTLS": Kind(UNAVAILABLE, **STARTTLS, STARTTLS=b"454 later\r\n"),
    "5xx at STARTTLS": Kind(REFUSED, **STARTTLS, STARTTLS=b"502 no\r\n"),
    "garbage at STARTTLS": Kind(UNAVAILABLE, **STARTTLS, STARTTLS=then(b"220 go on\r\n", then(os.urandom(4096), silence))),
    "a reply in plain text after STARTTLS": Kind(UNAVAILABLE, **STARTTLS, STARTTLS=then(b"220 go on\r\n250-here\r\n250 AUTH PLAIN\r\n", silence)),
    "a handshake that never ends": Kind(UNAVAILABLE, **STARTTLS, STARTTLS=then(b"220 go on\r\n", silence)),
    "a handshake of 16 MB": Kind(UNAVAILABLE, **STARTTLS, STARTTLS=endless(record(22, bytes(16_000)), b"220 go on\r\n" + record(22, HUGE))),
    "endless records of TLS": Kind(UNAVAILABLE, **STARTTLS, STARTTLS=endless(record(20, b"\1"), b"220 go on\r\n")),
    "endless alerts of TLS": Kind(UNAVAILABLE, **STARTTLS, STARTTLS=endless(record(21, b"\1\x5a"), b"220 go on\r\n")),
    "a certificate of an unknown authority": Kind(UNAVAILABLE, **STARTTLS, certificate="unknown"),
    "an expired certificate": Kind(UNAVAILABLE, **STARTTLS, certificate="expired"),
    "a certificate of another name": Kind(UNAVAILABLE, **STARTTLS, certificate="other"),
    "plain text instead of TLS": Kind(UNAVAILABLE, security="tls", is_plain=True),
    # Authentication.
    "a login and nothing wrong": Kind(DONE, **LOGIN),
    "no AUTH": Kind(REFUSED, login=True),
    "AUTH without a known mechanism": Kind(REFUSED, login=True, extensions=b"250-AUTH " + b" ".join(b"X%d" % at for at in range(200)) + b"\r\n"),
    "endless challenges": Kind(UNAVAILABLE, login=True, extensions=b"250-AUTH LOGIN\r\n", AUTH=b"334 VXNlcm5hbWU6\r\n"),
    "a challenge that is not Base64": Kind(UNAVAILABLE, login=True, extensions=b"250-AUTH LOGIN\r\n", AUTH=b"334 ?!\xff\r\n"),
    "silence at AUTH": Kind(UNAVAILABLE, **LOGIN, AUTH=silence),
    "close at AUTH": Kind(UNAVAILABLE, **LOGIN, AUTH=close),
    "4xx at AUTH": Kind(UNAVAILABLE, **LOGIN, AUTH=b"454 later\r\n"),
    "5xx at AUTH": Kind(REFUSED, **LOGIN, AUTH=b"535 wrong\r\n"),
}


class Certificates:
    """A certificate authority and the certificates of the servers."""

    def __init__(self):
        # Imported here, because the kinds without TLS must work without this package.
        import trustme

        ago = lambda days: datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days)
        self.authority, stranger = trustme.CA(), trustme.CA()
        self.by_name = {
            "good": self.authority.issue_cert("localhost"),
            "unknown": stranger.issue_cert("localhost"),
            "expired": self.authority.issue_cert("localhost", not_before=ago(60), not_after=ago(30)),
            "other": self.authority.issue_cert("mail.example.com"),
        }

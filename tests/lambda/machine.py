"""Runs orders with a local `oms run`, and returns the outcome for the comparison with the handlers."""

import email.parser
import email.policy
import json
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cloud import STOREFRONT, Subject


@dataclass
class Outcome:
    """The outcome of orders. Each part is compared as a whole."""

    # Number of orders by answer: accepted, duplicates, conflicts, rejected.
    answers: dict
    bills: list
    # Contents by key.
    objects: dict
    # Mails by Message-ID, see `normal`.
    mails: dict
    # Key and cause of each parked order.
    parked: list


def normal(raw: bytes) -> tuple:
    """A mail without the parts that differ each time it is sent: the date and the boundaries."""
    message = email.parser.BytesParser(policy=email.policy.default).parsebytes(raw)
    headers = {name: str(value) for name, value in message.items() if name.lower() not in ("date", "content-type")}
    parts = [
        (part.get_content_type(), part.get_filename(), part.get_payload(decode=True))
        for part in message.walk() if not part.is_multipart()
    ]
    return headers, parts


def by_id(mails: list) -> dict:
    return {headers["Message-ID"]: (headers, parts) for headers, parts in mails}


class Machine:
    """A state of `oms run` in a folder."""

    def __init__(self, oms: Path, folder: Path, subject: Subject = STOREFRONT):
        self.oms, self.folder, self.subject = oms, folder, subject
        self.state, self.export = folder / "state", folder / "export"
        self.answers = {}

    def call(self, *words, codes=(0,)) -> str:
        done = subprocess.run([str(self.oms), *map(str, words), "--state-dir", str(self.state)], capture_output=True, text=True)
        if done.returncode not in codes:
            raise RuntimeError(f"oms {words[0]} exited with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def load(self, customers: Path) -> None:
        self.call("db", "import", self.subject.file, "customer_contact_info", customers)

    def run(self, orders: list, customers: Path) -> Outcome:
        """Runs orders in the given sequence. Each one is a separate file, because an invalid one may have any content."""
        nothing = self.folder / "nothing.ndjson"
        nothing.write_bytes(b"")
        # Create the tables, so that customers can be imported.
        self.call("run", self.subject.file, "--input", nothing)
        self.load(customers)
        inputs = []
        for number, body in enumerate(orders):
            path = self.folder / "orders" / f"{number:05}.json"
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(body)
            inputs += ["--input", path]
        summary = self.call("run", self.subject.file, *inputs, "--export", self.export, "--format", "json", codes=(0, 1))
        summary = json.loads(summary)
        self.answers = {name: summary[name] for name in ("accepted", "duplicates", "conflicts", "rejected")}
        return self.outcome()

    def retry(self, keys: list) -> Outcome:
        self.call("runs", "retry", self.subject.file, *keys)
        # A retry does not export the mails that it sends.
        self.call("mail", "export", self.subject.file, self.export / "mail")
        return self.outcome()

    def outcome(self) -> Outcome:
        database = sqlite3.connect(self.state / "oms.db")
        parked = database.execute("select key, cause from oms_runs where state = 'parked' order by 1").fetchall()
        exported = lambda kind: [path for path in (self.export / kind).rglob("*") if path.is_file()]  # noqa: E731
        return Outcome(
            answers=self.answers,
            bills=[row[0] for row in database.execute(self.subject.bills)],
            objects={path.name: path.read_bytes() for path in exported("objects")},
            mails=by_id([normal(path.read_bytes()) for path in exported("mail")]),
            parked=parked,
        )

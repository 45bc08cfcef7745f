"""What `oms run` makes of orders on this machine, in the form in which it is held against what the handlers did."""

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
    """What became of orders: each part is compared as a whole."""

    # Orders by what was answered: new, the same again, another with its key, refused.
    answers: dict
    bills: list
    # Bytes by key.
    objects: dict
    # Mails by their Message-ID, see `normal`.
    mails: dict
    # Key and cause of what somebody has to look at.
    parked: list


def normal(raw: bytes) -> tuple:
    """A mail but for what no two sendings share: its instant and the boundaries between its parts."""
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
    """A state of `oms run` in a folder of its own."""

    def __init__(self, oms: Path, folder: Path, subject: Subject = STOREFRONT):
        self.oms, self.folder, self.subject = oms, folder, subject
        self.state, self.export = folder / "state", folder / "export"
        self.answers = {}

    def call(self, *words, codes=(0,)) -> str:
        done = subprocess.run([str(self.oms), *map(str, words), "--state-dir", str(self.state)], capture_output=True, text=True)
        if done.returncode not in codes:
            raise RuntimeError(f"oms {words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    def load(self, customers: Path) -> None:
        self.call("db", "import", self.subject.file, "customer_contact_info", customers)

    def run(self, orders: list, customers: Path) -> Outcome:
        """Runs orders one by one in their order, each a file of its own, since a broken one may hold anything."""
        nothing = self.folder / "nothing.ndjson"
        nothing.write_bytes(b"")
        # Makes the tables, so that there is something to load customers into.
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
        # What a retried run sends is exported by the next run.
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

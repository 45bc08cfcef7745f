"""What `oms run` makes of orders on this machine, in the form in which it is held against what the handlers did."""

import email.parser
import email.policy
import json
import sqlite3
import subprocess
from dataclasses import dataclass
from pathlib import Path

from cloud import BILLS, PIPELINE


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


def run(oms: Path, folder: Path, orders: list, customers: Path) -> Outcome:
    """Runs orders one by one in their order, each a file of its own, since a broken one may hold anything."""
    state, export = folder / "state", folder / "export"
    nothing = folder / "nothing.ndjson"
    nothing.write_bytes(b"")

    def call(*words, codes=(0,)) -> str:
        done = subprocess.run([str(oms), *map(str, words)], capture_output=True, text=True)
        if done.returncode not in codes:
            raise RuntimeError(f"oms {words[0]} ended with {done.returncode}: {done.stderr[-2000:]}")
        return done.stdout

    # Makes the tables, so that there is something to load customers into.
    call("run", PIPELINE, "--input", nothing, "--state-dir", state)
    call("db", "import", PIPELINE, "customer_contact_info", customers, "--state-dir", state)
    inputs = []
    for number, body in enumerate(orders):
        path = folder / "orders" / f"{number:05}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
        inputs += ["--input", path]
    summary = call(
        "run", PIPELINE, *inputs, "--state-dir", state, "--export", export, "--format", "json", codes=(0, 1),
    )
    summary = json.loads(summary)
    database = sqlite3.connect(state / "oms.db")
    parked = database.execute("select key, cause from oms_runs where state = 'parked' order by 1").fetchall()
    return Outcome(
        answers={name: summary[name] for name in ("accepted", "duplicates", "conflicts", "rejected")},
        bills=[row[0] for row in database.execute(BILLS)],
        objects={path.name: path.read_bytes() for path in (export / "objects").rglob("*") if path.is_file()},
        mails=by_id([normal(path.read_bytes()) for path in (export / "mail").rglob("*") if path.is_file()]),
        parked=parked,
    )

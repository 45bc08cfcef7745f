"""schemathesis holds the server against its own /openapi.json: examples, limits, made-up data right and wrong, and questions in a row.

    pip install -r requirements.txt
    python contract.py [--oms FILE] [--examples N] [--seed N]

All checks of schemathesis are on; schemathesis.toml says which refusals are right, contract_hooks.py which orders are. An answer with a
status that is not in the document fails, as does one with another media type or body, a 5xx, and a method that is allowed and not described.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from server import PATH, Server, arguments, check, play

HERE = Path(__file__).resolve().parent
# Seconds that all of it may take: the time for made-up data is bounded by schemathesis, by half of it.
TOGETHER = 60
# What the document must have been shown to be true for; the others are not for one caller to bring about.
SEEN = {("PUT", 200), ("PUT", 201), ("PUT", 400), ("PUT", 409), ("PUT", 413), ("POST", 200), ("POST", 400), ("POST", 409), ("GET", 200), ("GET", 404)}


def schemathesis(server: Server, folder: Path, examples: int, seed: int) -> list:
    """Runs it; returns each question's method, path, and the status of its answer."""
    events = folder / "events.ndjson"
    command = [
        sys.executable, "-m", "schemathesis.cli", "--config-file", HERE / "schemathesis.toml", "run", f"http://127.0.0.1:{server.port}/openapi.json",
        "--checks", "all", "--max-examples", examples, "--seed", seed, "--max-time", TOGETHER // 2, "--no-color", "--continue-on-failure",
        "--warnings", "off", "--report", "ndjson", "--report-ndjson-path", events,
    ]
    environment = {**os.environ, "PYTHONPATH": str(HERE)}
    said = folder / "schemathesis.log"
    with open(said, "wb") as log:
        code = subprocess.run([str(word) for word in command], stdout=log, stderr=subprocess.STDOUT, cwd=folder, env=environment, timeout=2 * TOGETHER).returncode
    text = said.read_text(errors="replace")
    if code:
        print("\n".join(line[:300] for line in text.splitlines()))
    summary = text[text.rfind("SUMMARY") :]
    for line in summary.splitlines():
        if line.strip().startswith(("Selected", "Tested", "✅", "❌")) or "generated" in line:
            print(f"      {line.strip()}")
    check("schemathesis's exit code", 0, code)
    return list(interactions(events))


def interactions(events: Path):
    """Finds questions and answers wherever the report of schemathesis has them."""

    def walk(value):
        if isinstance(value, dict):
            if isinstance(value.get("request"), dict) and isinstance(value.get("response"), dict):
                yield value["request"]["method"], value["request"]["uri"], value["response"]["status_code"]
            else:
                for member in value.values():
                    yield from walk(member)
        elif isinstance(value, list):
            for member in value:
                yield from walk(member)

    for line in events.read_text(encoding="utf-8").splitlines():
        yield from walk(json.loads(line))


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--examples", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        server = Server(args.oms, Path(name))

        def everything() -> None:
            begun = time.monotonic()
            server.start()
            document = server.ask("GET", "/openapi.json").json()
            described = {"/healthz", "/readyz", PATH, f"{PATH}/{{key}}"}
            check("what is described", described, set(document["paths"]))
            found = schemathesis(server, Path(name), args.examples, args.seed)
            check("schemathesis asked something", True, len(found) > 100)
            check("answers of 5xx", [], [one for one in found if one[2] >= 500])
            of_orders = Counter((method, status) for method, uri, status in found if PATH in uri)
            print(f"      {len(found)} answers; of orders {dict(sorted(of_orders.items()))}", flush=True)
            check("answers that schemathesis never got", set(), SEEN - set(of_orders))
            check("the server lives", True, server.lives())
            server.settle()
            stored, runs = server.stored(), server.runs()
            check("`oms runs list` and the database name the same runs", True, sorted(runs) == stored["runs"])
            for table in ("bills", "mails", "objects"):
                check(f"{table}: none twice", len(set(stored[table])), len(stored[table]))
            check("it said nothing of a panic", False, server.said_of_itself("panicked"))
            check("it ends as it should", 0, server.stop())
            took = time.monotonic() - begun
            check(f"it took {took:.0f} s, which is less than {TOGETHER}", True, took < TOGETHER)

        return play(server, everything)


if __name__ == "__main__":
    sys.exit(main())

"""Tests the server against its own /openapi.json with schemathesis: examples, boundary values, generated valid and invalid data, and sequences of requests.

    pip install -r requirements.txt
    python contract.py [--oms FILE] [--examples N] [--seed N]

All checks of schemathesis are enabled. schemathesis.toml lists the expected rejections, and contract_hooks.py adds valid orders. A status, a
media type or a body that the document does not describe is a failure, as are a 5xx and an undocumented method that the server allows.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from server import PATH, Server, arguments, check, run_test

HERE = Path(__file__).resolve().parent
# Maximum seconds for the whole test. schemathesis limits the time for generated data to half of it.
TOGETHER = 60
# Methods and statuses that the test must cover. Some of the others, such as 429, need several clients.
SEEN = {("PUT", 200), ("PUT", 201), ("PUT", 400), ("PUT", 409), ("PUT", 413), ("POST", 200), ("POST", 400), ("POST", 409), ("GET", 200), ("GET", 404)}


def schemathesis(server: Server, folder: Path, examples: int, seed: int) -> list:
    """Runs schemathesis. Returns the method, path and status of each request."""
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
    check("the exit code of schemathesis", 0, code)
    return list(interactions(events))


def interactions(events: Path):
    """Finds requests and responses at any depth in the report of schemathesis."""

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
            check("the described paths", described, set(document["paths"]))
            found = schemathesis(server, Path(name), args.examples, args.seed)
            check("schemathesis sent requests", True, len(found) > 100)
            check("answers with 5xx", [], [one for one in found if one[2] >= 500])
            of_orders = Counter((method, status) for method, uri, status in found if PATH in uri)
            print(f"      {len(found)} answers; for orders {dict(sorted(of_orders.items()))}", flush=True)
            check("statuses that were not covered", set(), SEEN - set(of_orders))
            check("the server is alive", True, server.lives())
            server.wait_until_idle()
            stored, runs = server.stored(), server.runs()
            check("`oms runs list` and the database name the same runs", True, sorted(runs) == stored["runs"])
            for table in ("bills", "mails", "objects"):
                check(f"{table}: no repetitions", len(set(stored[table])), len(stored[table]))
            check("a panic in the log of the server", False, server.log_contains("panicked"))
            check("the exit code of the server", 0, server.stop())
            took = time.monotonic() - begun
            check(f"the test took {took:.0f} s, less than {TOGETHER} s", True, took < TOGETHER)

        return run_test(server, everything)


if __name__ == "__main__":
    sys.exit(main())

"""Concurrent runs behave as if they ran one after another: three cases of `tests/cases`, from files and over HTTP.

    python serial.py [--oms FILE] [--rounds N]

A file has the outcome of concurrency 1 at every concurrency, and so do sequential requests. Concurrent requests have the outcome of some
serial execution: ten of ten mugs are sold, the order that got a 201 is billed, and the row is one of those that were written.
"""

import json
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from server import ROOT, Server, arguments, check, run_test

# Each case with its orders and its tables.
CASES = {
    "lost-update": ("twenty.ndjson", ["sold", "stock"]),
    "same-key-in-one-file": ("two.ndjson", ["bills"]),
    "upsert-order-in-one-file": ("three.ndjson", ["latest"]),
}
INTAKE = 'intake: { path: "/orders/{key}" }\n'


class Case:
    def __init__(self, oms: Path, folder: Path, name: str):
        self.oms, self.folder, self.name = oms, folder / name, name
        file, self.tables = CASES[name]
        shutil.copytree(ROOT / "tests/cases" / name, self.folder)
        self.pipeline = self.folder / "p.yaml"
        self.pipeline.write_text(self.pipeline.read_text() + INTAKE)
        self.input = self.folder / file
        self.orders = [json.loads(line) for line in self.input.read_text().splitlines()]
        self.alone = self.from_file(1)

    def rows(self, state: Path) -> dict:
        export = lambda table: subprocess.run(
            [self.oms, "db", "export", self.pipeline, "--state-dir", state, table], check=True, stdout=subprocess.PIPE, text=True
        )
        return {table: [json.loads(line) for line in export(table).stdout.splitlines()] for table in self.tables}

    def from_file(self, concurrency: int) -> dict:
        state = self.folder / "state"
        shutil.rmtree(state, ignore_errors=True)
        command = [self.oms, "run", self.pipeline, "--input", self.input, "--state-dir", state, "--concurrency", str(concurrency)]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        return self.rows(state)

    def over_http(self, server: Server, together: bool) -> tuple:
        """Returns the rows and the statuses of the answers."""
        shutil.rmtree(server.state, ignore_errors=True)
        server.start()
        answers = [None] * len(self.orders)
        ready = threading.Barrier(len(self.orders) if together else 1)

        def put(at: int) -> None:
            order = self.orders[at]
            with server.connect() as connection:
                ready.wait()
                answers[at] = connection.request("PUT", f"/orders/{order['id']}", json.dumps(order).encode()).status

        threads = [threading.Thread(target=put, args=(at,)) for at in range(len(self.orders))]
        for thread in threads:
            thread.start()
            if not together:
                thread.join()
        for thread in threads:
            thread.join()
        server.wait_until_idle()
        server.stop()
        return self.rows(server.state), answers

    def is_serial(self, rows: dict, answers: list) -> bool:
        if self.name == "lost-update":
            return len(rows["sold"]) == 10 and rows["stock"] == [{"pieces": 0, "sku": "mug"}]
        if self.name == "same-key-in-one-file":
            first = self.orders[answers.index(201)]
            return sorted(answers) == [201, 409] and [row["amount"] for row in rows["bills"]] == [first["amount"]]
        return rows["latest"] in [[{"customer": order["customer"], "status": order["status"]}] for order in self.orders]


def compare_with_serial(oms: Path, folder: Path, server: Server, rounds: int) -> None:
    for name in CASES:
        case = Case(oms, folder, name)
        server.pipeline = case.pipeline
        for concurrency in (8, 64):
            same = sum(case.from_file(concurrency) == case.alone for _ in range(rounds))
            check(f"{name}: files at concurrency {concurrency} with the outcome of concurrency 1", rounds, same)
        same = sum(case.over_http(server, together=False)[0] == case.alone for _ in range(rounds))
        check(f"{name}: sequential requests with the outcome of concurrency 1", rounds, same)
        serial = sum(case.is_serial(*case.over_http(server, together=True)) for _ in range(rounds))
        check(f"{name}: concurrent requests with the outcome of a serial execution", rounds, serial)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    known = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        server = Server(known.oms, folder)
        return run_test(server, lambda: compare_with_serial(known.oms, folder, server, known.rounds))


if __name__ == "__main__":
    raise SystemExit(main())

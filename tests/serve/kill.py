"""Kills the server repeatedly while orders arrive: no order with a 2xx is lost, and no order is processed twice.

    python kill.py [--oms FILE] [--times N] [--seed N]

Several connections put orders: new ones, and now and then a repeated one. At a random moment the server is killed and started again on the
same state. Sometimes it is killed again before it accepts an order. At the end, every order is put once more.
"""

import random
import sys
import tempfile
import threading
import time
from pathlib import Path

from server import PATH, Closed, Failed, Server, agree, arguments, check, run_test, samples

CONNECTIONS = 6
# Maximum seconds of load before a kill.
LOAD = 0.6
# One in this many orders is a repeated one.
REPEATED = 5
# The errors of a write or a read when the server is killed.
BROKEN = (Closed, Failed, OSError)


class Shop:
    """The orders that were put, and the answers to them."""

    def __init__(self, server: Server, seed: int):
        self.server, self.chance, self.lock = server, random.Random(seed), threading.Lock()
        # Every order that was put, and the statuses of its answers, with 201 at most once.
        self.put, self.answers, self.wrong = {}, {}, []
        self.samples, self.running = samples(), False

    def next(self) -> str:
        with self.lock:
            if self.put and self.chance.randrange(REPEATED) == 0:
                return self.chance.choice(list(self.put))
            key = f"K-{len(self.put)}"
            # Use all samples: small and large ones, with and without a conversion.
            self.put[key] = self.samples[len(self.put) % len(self.samples)] | {"order_id": key}
            return key

    def work(self) -> None:
        """Puts orders on one connection until the server is gone."""
        try:
            with self.server.connect(10) as connection:
                while self.running:
                    key = self.next()
                    status = connection.put(self.put[key]).status
                    with self.lock:
                        self.answers.setdefault(key, []).append(status)
        except BROKEN as broken:
            if self.running:
                self.wrong.append(f"a connection broke before the kill: {broken!r}")

    def load(self, seconds: float) -> None:
        """Puts orders for some time, and then kills the server while the connections are active."""
        self.running = True
        threads = [threading.Thread(target=self.work) for _ in range(CONNECTIONS)]
        for thread in threads:
            thread.start()
        time.sleep(seconds)
        self.running = False
        self.server.kill()
        for thread in threads:
            thread.join()

    def acknowledged(self) -> set:
        return {key for key, statuses in self.answers.items() if {200, 201} & set(statuses)}


def killed(shop: Shop, times: int) -> None:
    server = shop.server
    for time_of in range(times):
        early = shop.chance.random() < 0.2
        if early:
            # Kill it while it starts and resumes open runs.
            server.start(wait=False)
            time.sleep(shop.chance.uniform(0, 0.5))
            server.kill()
        server.start()
        before = len(shop.acknowledged())
        shop.load(shop.chance.uniform(0.02, LOAD))
        if shop.wrong:
            raise Failed(shop.wrong[0])
        runs = server.query("select key from oms_runs")
        found = {key for (key,) in runs}
        check(f"kill {time_of + 1}{', the second in a row' if early else ''}, after {len(shop.acknowledged()) - before} new orders: lost orders", set(), shop.acknowledged() - found)
        check(f"kill {time_of + 1}: runs of unknown orders, and repeated runs", (set(), len(runs)), (found - set(shop.put), len(found)))


def whole(shop: Shop) -> None:
    """Checks that the last start completes all open runs, and that nothing is stored twice."""
    server, keys = shop.server, shop.acknowledged()
    other = {status for statuses in shop.answers.values() for status in statuses} - {200, 201}
    check("answers other than 200 and 201", set(), other)
    twice = [key for key, statuses in shop.answers.items() if statuses.count(201) > 1]
    check("orders that got a 201 twice", [], twice)
    server.start()
    server.wait_until_idle()
    check("some orders were answered more than once", True, any(len(statuses) > 1 for statuses in shop.answers.values()))
    stored, runs = server.stored(), server.runs()
    check("`oms runs list` and the database name the same runs", True, sorted(runs) == stored["runs"])
    check("all of them are completed", {"completed"}, set(runs.values()))
    check("lost orders with a 2xx", set(), keys - set(runs))
    unanswered = set(runs) - keys
    print(f"ok    {len(keys)} orders got a 2xx; {len(unanswered)} stored orders got no answer because of a kill", flush=True)
    for name in ("bills", "mails", "objects"):
        check(f"{name}: exactly one for each run", True, stored[name] == stored["runs"])
    known = server.query("select count(*), sum(amount_usd = '') from billing_data")
    check("the number of bills, and of bills without an amount", (len(runs), 0), known[0])
    with server.connect() as connection:
        found = {key: connection.put(order).status for key, order in shop.put.items()}
    check("all put again: orders with a 2xx are duplicates", {200}, {found[key] for key in keys})
    check("all put again: stored orders without an answer are duplicates", set(), {found[key] for key in unanswered} - {200})
    missing = set(shop.put) - set(runs)
    check(f"all put again: {len(missing)} orders that were not stored are new", set(), {found[key] for key in missing} - {201})
    server.wait_until_idle()
    again = server.stored()
    for name, of in again.items():
        check(f"{name}: now exactly one for each order", True, of == sorted(shop.put))
    check("`oms runs list` lists all of them", len(shop.put), len(server.runs()))
    with server.connect() as connection:
        key = next(iter(keys))
        check("a different order with a used key", 409, connection.put(shop.put[key] | {"customer_id": "other"}).status)
        state = connection.request("GET", f"{PATH}/{key}").json()["state"]
        check("the state that the server reports", "completed", state)
    agree(server)
    check("the exit code of the server", 0, server.stop())


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    args = parser.parse_args()
    print(f"      seed {args.seed}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        server = Server(args.oms, Path(name))
        shop = Shop(server, args.seed)

        def everything() -> None:
            killed(shop, args.times)
            whole(shop)
            print(f"kill: {args.times} kills, {len(shop.put)} orders, none lost, none processed twice", flush=True)

        return run_test(server, everything)


if __name__ == "__main__":
    sys.exit(main())

"""The server is killed while orders come in, again and again: none that it answered with a 2xx is lost, and none is worked on twice.

    python kill.py [--oms FILE] [--times N] [--seed N]

Several connections put orders, new ones and now and then one that was put before. At a moment that nobody chose the server is killed, and
started again on the same state, sometimes only to be killed before it takes an order. In the end everything is put once more.
"""

import random
import sys
import tempfile
import threading
import time
from pathlib import Path

from server import PATH, Closed, Failed, Server, agree, arguments, check, play, samples

CONNECTIONS = 6
# Seconds of load before a kill, at the most.
LOAD = 0.6
# One of so many orders is one that was put before.
REPEATED = 5
# What a write or a read says when the server is killed.
BROKEN = (Closed, Failed, OSError)


class Shop:
    """What was put, and what was answered to it."""

    def __init__(self, server: Server, seed: int):
        self.server, self.chance, self.lock = server, random.Random(seed), threading.Lock()
        # Every order that was begun to be put, and those of them that were answered: once or more often, with 201 at the most once.
        self.put, self.answers, self.wrong = {}, {}, []
        self.samples, self.running = samples(), False

    def next(self) -> str:
        with self.lock:
            if self.put and self.chance.randrange(REPEATED) == 0:
                return self.chance.choice(list(self.put))
            key = f"K-{len(self.put)}"
            # All kinds of samples: small and large ones, with rates and without.
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
        """Puts orders for some time; the server is killed at the end of it, in the middle of all."""
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
            # While it starts, and takes up what was left.
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
        check(f"kill {time_of + 1}{', the second in a row' if early else ''}, after {len(shop.acknowledged()) - before} new orders: lost ones", set(), shop.acknowledged() - found)
        check(f"kill {time_of + 1}: runs of orders that nobody put, or twice", (set(), len(runs)), (found - set(shop.put), len(found)))


def whole(shop: Shop) -> None:
    """After the last start all that was left is finished, and nothing is there twice."""
    server, keys = shop.server, shop.acknowledged()
    other = {status for statuses in shop.answers.values() for status in statuses} - {200, 201}
    check("other answers than 200 and 201", set(), other)
    twice = [key for key, statuses in shop.answers.items() if statuses.count(201) > 1]
    check("orders that were new twice", [], twice)
    server.start()
    server.settle()
    check("orders that were put more than once", True, any(len(statuses) > 1 for statuses in shop.answers.values()))
    stored, runs = server.stored(), server.runs()
    check("`oms runs list` and the database name the same runs", True, sorted(runs) == stored["runs"])
    check("all of them are completed", {"completed"}, set(runs.values()))
    check("every order with a 2xx is there", set(), keys - set(runs))
    unanswered = set(runs) - keys
    print(f"ok    {len(keys)} orders were answered with a 2xx, {len(unanswered)} stored ones lost their answer with the server", flush=True)
    for name in ("bills", "mails", "objects"):
        check(f"{name}: one of each run, and no other", True, stored[name] == stored["runs"])
    known = server.query("select count(*), sum(amount_usd = '') from billing_data")
    check("bills without an amount", (len(runs), 0), known[0])
    with server.connect() as connection:
        found = {key: connection.put(order).status for key, order in shop.put.items()}
    check("all put again: those with a 2xx are known", {200}, {found[key] for key in keys})
    check("all put again: so is what was stored without an answer", set(), {found[key] for key in unanswered} - {200})
    missing = set(shop.put) - set(runs)
    check(f"all put again: {len(missing)} that had not come to the disk are new", set(), {found[key] for key in missing} - {201})
    server.settle()
    again = server.stored()
    for name, of in again.items():
        check(f"{name}: now one of each order", True, of == sorted(shop.put))
    check("`oms runs list` counts them all", len(shop.put), len(server.runs()))
    with server.connect() as connection:
        key = next(iter(keys))
        check("another order with the key of one of them", 409, connection.put(shop.put[key] | {"customer_id": "other"}).status)
        state = connection.request("GET", f"{PATH}/{key}").json()["state"]
        check("the server says it is completed", "completed", state)
    agree(server)
    check("it ends as it should", 0, server.stop())


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
            print(f"kill: {args.times} kills, {len(shop.put)} orders, none lost, none twice", flush=True)

        return play(server, everything)


if __name__ == "__main__":
    sys.exit(main())

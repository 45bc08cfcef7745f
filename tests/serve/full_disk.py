"""The disk of a server is full: orders are refused and none is lost, nothing ends, and when there is room the server goes on.

    python full_disk.py [--oms FILE]

The state lies on a file system of its own, a `tmpfs` of a few megabytes. Without the right to mount one nothing is tested, which is said.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server import Failed, Server, agree, arguments, check, order, play, until

MEGABYTES = 24
# What takes the room away.
BALLAST = 12 << 20
# Orders until the disk has to be full.
ORDERS_MAX = 20_000


def main() -> int:
    args = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "oms-full-disk", name]
        if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
            print("skipped: a full disk, since no file system can be mounted here")
            return 0
        try:
            server = Server(args.oms, Path(name))
            return play(server, lambda: everything(server, Path(name)))
        finally:
            subprocess.run(["umount", name], check=True)


def everything(server: Server, folder: Path) -> None:
    server.start()
    accepted = set()
    ballast = folder / "ballast"
    with open(ballast, "wb") as file:
        file.write(b"x" * BALLAST)

    def put(connection, key: str) -> int:
        status = connection.put(order(key)).status
        if status == 201:
            accepted.add(key)
        return status

    with server.connect() as connection:
        statuses = (put(connection, f"A-{at}") for at in range(ORDERS_MAX))
        check("the answer when there is no room", 503, next((status for status in statuses if status != 201), None))
        check("it is the same for the next ones", {503}, {put(connection, f"B-{at}") for at in range(20)})
        check("it lives", 200, connection.request("GET", "/healthz").status)
        check("what was accepted is there", "completed", connection.request("GET", "/storefront/order/A-0").json()["state"])
        server.page(connection, "/runs")
        ballast.unlink()
        begun = time.monotonic()

        def goes_on() -> bool:
            return put(connection, f"C-{len(accepted)}") == 201

        until("an order to be taken", goes_on, 10)
        print(f"      an order was taken {time.monotonic() - begun:.1f} s after there was room", flush=True)
        check("and then all", {201}, {put(connection, f"D-{at}") for at in range(20)})
    server.settle()
    for table, of in server.stored().items():
        check(f"{table}: one of each order with a 2xx, and no other", True, of == sorted(accepted))
    agree(server)
    check("it ends as it should", 0, server.stop())
    print(f"full disk: {len(accepted)} taken, none lost", flush=True)


if __name__ == "__main__":
    sys.exit(main())

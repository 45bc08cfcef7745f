"""Fills the disk of a server: it rejects orders without losing one, keeps running, and accepts orders again when there is space.

    python full_disk.py [--oms FILE]

The state is on a `tmpfs` of a few megabytes. Without the permission to mount one, the test reports that it was skipped.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from server import Failed, Server, agree, arguments, check, order, run_test, until

MEGABYTES = 24
# Bytes of a file that fills half of the disk and is deleted later.
BALLAST = 12 << 20
# Maximum number of orders before the disk must be full.
ORDERS_MAX = 20_000


def main() -> int:
    args = arguments(__doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        mount = ["mount", "-t", "tmpfs", "-o", f"size={MEGABYTES}m", "oms-full-disk", name]
        if subprocess.run(mount, stderr=subprocess.DEVNULL).returncode != 0:
            print("skipped: a full disk, because no file system can be mounted here")
            return 0
        try:
            server = Server(args.oms, Path(name))
            return run_test(server, lambda: everything(server, Path(name)))
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
        check("the status when the disk is full", 503, next((status for status in statuses if status != 201), None))
        check("the status of the next orders", {503}, {put(connection, f"B-{at}") for at in range(20)})
        check("the server is alive", 200, connection.request("GET", "/healthz").status)
        check("the state of an accepted order", "completed", connection.request("GET", "/storefront/order/A-0").json()["state"])
        server.page(connection, "/runs")
        ballast.unlink()
        begun = time.monotonic()

        def goes_on() -> bool:
            return put(connection, f"C-{len(accepted)}") == 201

        until("an accepted order", goes_on, 10)
        print(f"      an order was accepted {time.monotonic() - begun:.1f} s after there was space", flush=True)
        check("the status of all further orders", {201}, {put(connection, f"D-{at}") for at in range(20)})
    server.wait_until_idle()
    for table, of in server.stored().items():
        check(f"{table}: exactly one for each accepted order", True, of == sorted(accepted))
    agree(server)
    check("the exit code of the server", 0, server.stop())
    print(f"full disk: {len(accepted)} orders accepted, none lost", flush=True)


if __name__ == "__main__":
    sys.exit(main())

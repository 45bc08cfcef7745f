"""Exchange rates that change while orders wait: an order is billed with the rates of its acceptance."""

import csv
import io
import json
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cloud import ROOT, Cloud, check

HISTORY = ROOT / "pipelines/storefront/eurofxref.csv"
# Seconds for which the intake caches the newest version.
FRESH_S = 60
CURRENCY = "SEK"


class Bank:
    """Serves a rate file as the European Central Bank does."""

    def __init__(self):
        bank = self
        self.content = b""

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("content-length", str(len(bank.content)))
                self.end_headers()
                self.wfile.write(bank.content)

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/eurofxref-hist.zip"

    def publish(self, lines: list) -> None:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("eurofxref-hist.csv", "".join(lines))
        self.content = packed.getvalue()


def billed(cloud: Cloud, key: str) -> tuple:
    cloud.until(f"the bill of {key}", lambda: cloud.ask(f"select 1 from billing_data where order_id = '{key}'"))
    [row] = cloud.ask(f"select rate_date || '|' || from_rate from billing_data where order_id = '{key}'")
    day, rate = row.split("|")
    return day, rate.rstrip("0").rstrip(".")


def sources(cloud: Cloud, enabled: bool) -> None:
    """Enables or disables the event sources of the handlers."""
    client = cloud.client("lambda")
    for source in client.list_event_source_mappings()["EventSourceMappings"]:
        client.update_event_source_mapping(UUID=source["UUID"], Enabled=enabled)


def refreshed(cloud: Cloud, bank: Bank, order: bytes) -> None:
    """An order is accepted before the rates of its day are stored, and is billed with the older ones. A later order is billed with the newer ones."""
    lines = HISTORY.read_text(encoding="utf-8").splitlines(keepends=True)
    by_day = {row["Date"]: row[CURRENCY] for row in csv.DictReader(lines)}
    newest, before = sorted(by_day)[-1], sorted(by_day)[-2]
    order = json.loads(order) | {"currency": CURRENCY, "placed_at": f"{newest}T12:00:00Z"}

    def put(key: str) -> None:
        check(f"the order {key}", 201, cloud.put(key, json.dumps(order | {"order_id": key}).encode()))

    bank.publish([lines[0], *[line for line in lines[1:] if not line.startswith(newest)]])
    check("the rates of the day before are stored", {"newest": before, "stored": True}, cloud.invoke("Refresh"))
    sources(cloud, enabled=False)
    put("RATES-1")
    bank.publish(lines)
    check("the rates of the day are stored", {"newest": newest, "stored": True}, cloud.invoke("Refresh"))
    check("unchanged rates are not stored again", {"newest": newest, "stored": False}, cloud.invoke("Refresh"))
    bank.content = b"<html>no rates today</html>"
    check("an invalid rate file is an error", True, "not a valid file of exchange rates" in cloud.invoke("Refresh", may_fail=True).get("errorMessage", ""))
    sources(cloud, enabled=True)
    check("billed with the rates of its acceptance", (before, by_day[before].rstrip("0")), billed(cloud, "RATES-1"))
    time.sleep(FRESH_S)
    put("RATES-2")
    check("billed with the newer rates", (newest, by_day[newest].rstrip("0")), billed(cloud, "RATES-2"))
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)

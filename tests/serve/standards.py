"""Checks the metrics and the OpenAPI document of the server with the tools of their consumers.

    pip install -r requirements.txt
    python standards.py [--oms FILE] [--promtool FILE] [--redocly FILE]

The metrics are always parsed with prometheus-client. promtool and Redocly's linter run only if their options are given.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as older_families

from server import ROOT, Server, arguments, check, order, run_test

OPEN_METRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"
TEXT = "text/plain; version=0.0.4; charset=utf-8"
# The header that Prometheus 2.42 sends.
ACCEPT = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
FAMILIES = {"oms_http_requests", "oms_orders", "oms_runs_ended", "oms_runs_caught", "oms_runs_open", "oms_orders_queued", "oms_acceptance_seconds"}


def run_tool(command: list, data: bytes | None = None) -> tuple:
    """Runs a program and returns its exit code and output."""
    ended = subprocess.run([str(word) for word in command], input=data, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return ended.returncode, ended.stdout.decode(errors="replace").strip()


def metrics(server: Server, promtool: Path | None) -> None:
    answer = server.ask("GET", "/metrics", headers={"accept": ACCEPT})
    check("the media type for Prometheus", OPEN_METRICS, answer.headers["content-type"])
    families = list(text_string_to_metric_families(answer.body.decode()))
    check("the families that prometheus-client reads", FAMILIES, {family.name for family in families})
    counts = {family.name: sum(sample.value for sample in family.samples if sample.name.endswith("_total")) for family in families if family.type == "counter"}
    check("the number of answered orders", 3, counts["oms_orders"])
    answer = server.ask("GET", "/metrics")
    check("the default media type", TEXT, answer.headers["content-type"])
    older = {family.name for family in older_families(answer.body.decode())}
    check("the families of the older format", FAMILIES, older)
    if promtool:
        check("promtool check metrics", (0, ""), run_tool([promtool, "check", "metrics"], answer.body))


def description(server: Server, folder: Path, redocly: Path | None) -> None:
    document = server.ask("GET", "/openapi.json").json()
    if not redocly:
        return
    file = folder / "openapi.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    code, output = run_tool([redocly, "lint", file, "--format", "json"])
    found = json.loads(output[output.index("{") : output.rindex("}") + 1])
    errors = [(problem["ruleId"], problem["message"], problem["location"][0].get("pointer")) for problem in found["problems"] if problem["severity"] == "error"]
    print(f"      {found['totals']}", flush=True)
    check("redocly lint: errors", [], errors)
    check("redocly lint: exit code", 0, code)


def main() -> int:
    parser = arguments(__doc__)
    parser.add_argument("--promtool", type=Path)
    parser.add_argument("--redocly", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        server = Server(args.oms, Path(name))

        def everything() -> None:
            server.start()
            for changes in ({}, {}, {"customer_id": "other"}):
                server.put(order("A", **changes))
            server.wait_until_idle()
            metrics(server, args.promtool)
            description(server, Path(name), args.redocly)
            check("the exit code of the server", 0, server.stop())
            other = Server(args.oms, Path(name) / "other", ROOT / "pipelines/order-management.yaml")
            other.state.parent.mkdir()
            try:
                other.start()
                description(other, Path(name), args.redocly)
            finally:
                other.kill()

        return run_test(server, everything)


if __name__ == "__main__":
    sys.exit(main())

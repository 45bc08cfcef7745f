"""The whole way: what `oms generate lambda` wrote is deployed as it is, and orders are put through the API's address.

    python end_to_end.py --generated DIR --built DIR --oms FILE --data-api FILE --orders FILE [--count N]

`--generated` is the generated folder, `--built` the folder with the handlers' programs by their names, `--oms` a program built with the
feature `aws`, `--data-api` the strict RDS Data API (`oms-data-api`), `--orders` a file of the storefront's orders, one a line.

It starts the emulator of AWS and the Data API on a PostgreSQL of its own, and asks S3, the database and SES what happened. What the
handlers did is held against what `oms run` does with the same orders on this machine: bills, objects and mails.
"""

import argparse
import base64
import email.policy
import email.parser
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3

ROOT = Path(__file__).resolve().parents[2]
EMULATOR = ROOT / "tests/emulator"
sys.path.insert(0, str(EMULATOR))

import deploy  # noqa: E402
import package  # noqa: E402

# What both sides write in another way: an instant that is not the same, and ids of whoever wrote the row.
BILLS = (
    "select order_id || '|' || customer_id || '|' || currency || '|' || amount || '|' || amount_usd || '|' || rate || '|' || "
    "from_rate || '|' || to_rate || '|' || rate_date || '|' || rate_source from billing_data order by order_id"
)
# How long the handlers may take to work on everything.
PATIENCE = 240


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Failed(Exception):
    pass


def check(what: str, expected, found) -> None:
    if expected != found:
        raise Failed(f"{what}: expected {expected!r}, found {found!r}")
    print(f"ok    {what}: {found!r}", flush=True)


class Cloud:
    """The emulator with the generated stack on it, and a database."""

    def __init__(self, args, folder: Path):
        self.args, self.folder, self.processes = args, folder, []
        self.port, self.database_port = free_port(), free_port()
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self.log = folder / "calls.jsonl"
        self.environment = {
            **os.environ,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_RDS_DATA": f"http://127.0.0.1:{self.database_port}",
        }

    def client(self, name: str):
        keys = dict(aws_access_key_id="test", aws_secret_access_key="test")
        return boto3.client(name, endpoint_url=self.endpoint, region_name="us-east-1", **keys)

    def start(self, command: list, **more) -> subprocess.Popen:
        process = subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True, **more)
        self.processes.append(process)
        line = process.stdout.readline()
        if not line.startswith("ready "):
            raise Failed(f"{command[0]} did not start: {line!r}")
        process.ready = line.removeprefix("ready ").strip()
        return process

    def open(self) -> None:
        self.start([
            sys.executable, EMULATOR / "emulator.py", "--with-parent", "--enforce-iam", "--port", self.port, "--log", self.log,
            "--function-env", f"AWS_ENDPOINT_URL_RDS_DATA=http://127.0.0.1:{self.database_port}",
        ], stdin=subprocess.PIPE)
        code = {}
        for name in self.handlers():
            place = self.folder / "code" / name
            place.mkdir(parents=True)
            shutil.copy(self.args.built / name, place / "bootstrap")
            code["".join(part.capitalize() for part in name.split("-"))] = place
        text = package.package(self.args.generated / "template.yaml", self.client("s3"), "oms-code", code)
        begun = time.monotonic()
        parameters = {"Architecture": "x86_64", "BranchConcurrency": "4"}
        self.outputs = deploy.deploy(text, self.client("cloudformation"), "storefront", parameters)
        print(f"      deployed in {time.monotonic() - begun:.1f} s", flush=True)
        self.resources = json.loads(self.outputs["OmsResources"])
        # The Data API works as the role that a secret names; the master's is the server's own.
        roles = {arn: self.role(arn) for arn in self.resources["roles"].values()}
        self.postgres = self.start([
            self.args.data_api, "--port", self.database_port, "--cluster", self.resources["cluster"],
            "--secret", self.resources["secret"],
            *[word for arn, role in roles.items() for word in ("--secret", f"{arn}={role}")],
        ]).ready
        path = self.folder / "resources.json"
        path.write_text(self.outputs["OmsResources"])
        pipeline = ROOT / "pipelines/storefront.yaml"
        customers = ROOT / "pipelines/storefront/customers.ndjson"
        there = ["--target", "aws", "--resources", path]
        self.oms("db", "migrate", pipeline, *there)
        self.oms("db", "import", pipeline, "customer_contact_info", customers, *there)
        gateway = self.client("apigateway")
        self.key = gateway.get_api_key(apiKey=self.outputs["ApiKeyId"], includeValue=True)["value"]

    def role(self, secret: str) -> str:
        found = self.client("secretsmanager").get_secret_value(SecretId=secret)["SecretString"]
        return json.loads(found)["username"]

    def queues(self) -> dict:
        """The queues of the stack, by names for people."""
        undelivered = {name: url for name, url in self.outputs.items() if name.endswith("UndeliveredUrl")}
        waiting = {f"{name}'s orders": url for name, url in self.resources["queues"].items()}
        dead = {f"{name}'s dead letters": url for name, url in self.resources["dead_letters"].items()}
        return waiting | dead | undelivered

    def handlers(self) -> list:
        return sorted(path.name for path in (self.args.generated / "handlers").iterdir())

    def oms(self, *words) -> None:
        subprocess.run([str(self.args.oms), *map(str, words)], check=True, env=self.environment)

    def put(self, key: str, body: bytes, with_key: bool = True) -> int:
        url = f"{self.endpoint}/restapis/{self.outputs['ApiId']}/live/_user_request_/storefront/order/{key}"
        headers = {"content-type": "application/json"} | ({"x-api-key": self.key} if with_key else {})
        request = urllib.request.Request(url, method="PUT", data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return answer.status
        except urllib.error.HTTPError as error:
            return error.code

    def ask(self, sql: str) -> list:
        programs = max(Path("/usr/lib/postgresql").iterdir()) / "bin"
        command = [programs / "psql", self.postgres, "-At", "-c", sql]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()

    def mails(self) -> list:
        with urllib.request.urlopen(f"{self.endpoint}/_ministack/ses/messages", timeout=60) as answer:
            found = json.load(answer)
        return [mail for mails in found["messages"].values() for mail in mails]

    def objects(self) -> dict:
        s3, bucket = self.client("s3"), self.outputs["OrdersBucketName"]
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
        keys = [entry["Key"] for page in pages for entry in page.get("Contents", [])]
        return {key: s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys}

    def waiting(self) -> int:
        sqs, count = self.client("sqs"), 0
        for url in self.queues().values():
            names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
            found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
            count += sum(int(found[name]) for name in names)
        return count

    def until(self, what: str, reached) -> None:
        end = time.monotonic() + PATIENCE
        while not reached():
            if time.monotonic() > end:
                raise Failed(f"{what} took more than {PATIENCE} s")
            time.sleep(0.1)

    def explain(self) -> None:
        """Says what the services know, for whoever has to find out why."""
        print(f"      {len(self.ask(BILLS))} bills, {len(self.mails())} mails, claims {self.ask('select state, count(*) from oms_claims group by 1')}")
        for name, url in self.queues().items():
            for message in self.client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", []):
                print(f"      {name}: {message['Body'][:400]}")
        for call in map(json.loads, self.log.read_text().splitlines()):
            if call["status"] >= 400 and call["function"]:
                print(f"      {call['function']} {call['action']} {call['resource']}: {call['status']}")

    def close(self) -> None:
        for process in reversed(self.processes):
            process.terminate()
            process.wait()


def normal(raw: bytes) -> tuple:
    """A mail but for what no two sendings share: its instant and the boundaries between its parts."""
    message = email.parser.BytesParser(policy=email.policy.default).parsebytes(raw)
    headers = {name: str(value) for name, value in message.items() if name.lower() not in ("date", "content-type")}
    parts = [
        (part.get_content_type(), part.get_filename(), part.get_payload(decode=True))
        for part in message.walk() if not part.is_multipart()
    ]
    return headers, parts


def local(args, folder: Path, orders: Path) -> tuple:
    """Bills, objects and mails that `oms run` makes of the same orders."""
    state = folder / "state"
    pipeline = ROOT / "pipelines/storefront.yaml"
    command = [args.oms, "run", pipeline, "--input", orders, "--state-dir", state, "--export", folder / "export"]
    subprocess.run(command, check=True, capture_output=True)
    import sqlite3
    bills = [row[0] for row in sqlite3.connect(state / "oms.db").execute(BILLS)]
    objects = {path.name: path.read_bytes() for path in (folder / "export/objects").rglob("*") if path.is_file()}
    mails = [normal(path.read_bytes()) for path in (folder / "export/mail").rglob("*") if path.is_file()]
    return bills, objects, mails


def by_id(mails: list) -> dict:
    return {headers["Message-ID"]: (headers, parts) for headers, parts in mails}


def story(cloud: Cloud, args, folder: Path) -> None:
    lines = args.orders.read_text(encoding="utf-8").splitlines()[: args.count]
    source = folder / "orders.ndjson"
    source.write_text("\n".join(lines) + "\n", encoding="utf-8")
    bills, objects, mails = local(args, folder, source)
    first = json.loads(lines[0])
    key = first["order_id"]
    check("without an API key", 403, cloud.put(key, lines[0].encode(), with_key=False))
    check("an order that is none", 400, cloud.put(key, b'{"order_id": '))
    check("nothing is stored of it", 0, len(cloud.objects()))
    begun = time.monotonic()
    check("a new order", 201, cloud.put(key, lines[0].encode()))
    cloud.until("the first bill and mail", lambda: cloud.ask(BILLS) and cloud.mails())
    print(f"      row and mail after {time.monotonic() - begun:.2f} s, cold handlers", flush=True)
    check("the same order again", 200, cloud.put(key, lines[0].encode()))
    check("the same order, written otherwise", 200, cloud.put(key, json.dumps(first, indent=1).encode()))
    check("another order with its key", 409, cloud.put(key, json.dumps({**first, "customer_id": "other"}).encode()))

    begun = time.monotonic()
    keys = [json.loads(line)["order_id"] for line in lines]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(cloud.put, keys, [line.encode() for line in lines]))
    check("the others are new", {200: 1, 201: len(lines) - 1}, {code: answers.count(code) for code in set(answers)})
    print(f"      {len(lines)} orders put in {time.monotonic() - begun:.1f} s", flush=True)
    cloud.until("all bills", lambda: len(cloud.ask(BILLS)) >= len(bills))
    cloud.until("all mails", lambda: len(cloud.mails()) >= len(mails))
    cloud.until("the queues to empty", lambda: cloud.waiting() == 0)
    print(f"      all of them done after {time.monotonic() - begun:.1f} s", flush=True)

    check("bills as on this machine", True, cloud.ask(BILLS) == bills)
    check("bills", len(lines), len(bills))
    check("objects as on this machine", True, cloud.objects() == objects)
    sent = [normal(base64.b64decode(mail["Raw"])) for mail in cloud.mails()]
    check("mails, none twice", len(mails), len(by_id(sent)))
    check("mails that were sent", len(mails), len(sent))
    check("mails as on this machine", True, by_id(sent) == by_id(mails))
    check("dead letters and waiting orders", 0, cloud.waiting())
    refused = [line for line in map(json.loads, cloud.log.read_text().splitlines()) if line["status"] == 403 and line["function"]]
    check("calls of handlers that their rights did not allow", [], refused)
    print(f"{len(lines)} of {len(lines)} orders equal: bills, objects and mails", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("generated", "built", "oms", "data-api", "orders"):
        parser.add_argument(f"--{name}", type=Path, required=True)
    parser.add_argument("--count", type=int, default=500)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cloud = Cloud(args, Path(folder))
        try:
            cloud.open()
            story(cloud, args, Path(folder))
        except Failed as failed:
            print(f"FAIL  {failed}", flush=True)
            cloud.explain()
            return 1
        finally:
            cloud.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
